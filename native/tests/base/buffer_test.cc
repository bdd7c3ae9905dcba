// Alignment, growth, the live count, and that a peak does not stay.
#include "base/buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "support/random_source.h"

namespace penstock {
namespace {

bool IsAligned(const std::byte* address) {
  return reinterpret_cast<std::uintptr_t>(address) % BufferPool::kAlignment == 0;
}

TEST(BufferPoolTest, AlignedAt_StandsOnABoundary) {
  BufferPool pool;
  for (const std::size_t capacity :
       std::vector<std::size_t>{1, 63, 64, 512, 513, 100'000, 3'000'000}) {
    for (const std::size_t at : std::vector<std::size_t>{0, 1, 5, 63, 64, 65, 1000}) {
      Buffer buffer = pool.Get(capacity, at);
      EXPECT_GE(buffer.capacity(), capacity);
      EXPECT_EQ(buffer.size(), 0U);
      EXPECT_TRUE(IsAligned(buffer.data() + at));
      std::fill_n(buffer.tail().begin(), buffer.capacity(), std::byte{1});
    }
  }
  EXPECT_EQ(pool.live(), 0);
}

TEST(BufferPoolTest, Grow_KeepsContentsAndAlignment) {
  BufferPool pool;
  RandomSource random(RandomSource::Seed(3));
  for (int round = 0; round < 20; ++round) {
    const std::size_t at = random.Below(200);
    Buffer buffer = pool.Get(1 + random.Below(2000), at);
    std::vector<std::byte> model;
    while (model.size() < 3'000'000 && !random.OneIn(12)) {
      const std::vector<std::byte> part = random.Bytes(random.Below(buffer.tail().size() + 1));
      std::copy(part.begin(), part.end(), buffer.tail().begin());
      buffer.set_size(buffer.size() + part.size());
      model.insert(model.end(), part.begin(), part.end());
      pool.Grow(buffer, 2 * buffer.capacity());
      ASSERT_TRUE(std::ranges::equal(buffer.bytes(), model));
      ASSERT_TRUE(IsAligned(buffer.data() + at));
      ASSERT_EQ(pool.live(), 1);
    }
  }
  EXPECT_EQ(pool.live(), 0);
}

TEST(BufferPoolTest, Move_LeavesOneOwner) {
  BufferPool pool;
  Buffer a = pool.Get(10);
  Buffer b = std::move(a);
  EXPECT_FALSE(a.valid());  // NOLINT: what a move leaves is specified
  EXPECT_EQ(a.size(), 0U);
  EXPECT_EQ(a.capacity(), 0U);
  b = pool.Get(20);
  EXPECT_EQ(pool.live(), 1);
  b.Reset();
  b.Reset();
  EXPECT_EQ(pool.live(), 0);
}

TEST(BufferPoolTest, ReturnedMemory_IsUsedAgain) {
  BufferPool pool;
  Buffer buffer = pool.Get(1000);
  const std::byte* memory = buffer.data();
  buffer.Reset();
  buffer = pool.Get(900);
  EXPECT_EQ(buffer.data(), memory);
}

}  // namespace
}  // namespace penstock
