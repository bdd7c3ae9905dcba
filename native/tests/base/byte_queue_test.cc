// Random operations on two queues against two strings.
#include "base/byte_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "support/random_source.h"

namespace penstock {
namespace {

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string Contents(const ByteQueue& queue) {
  std::vector<iovec> slices(10'000);
  const std::size_t count = queue.Slices(slices);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_GT(slices[i].iov_len, 0U);
    text.append(static_cast<const char*>(slices[i].iov_base), slices[i].iov_len);
  }
  return text;
}

void AppendBorrowed(ByteQueue& queue, const std::string& text) {
  auto owner = std::make_shared<const std::string>(text);
  const std::span<const std::byte> bytes = BytesOf(*owner);
  queue.AppendBorrowed(bytes, std::move(owner));
}

TEST(ByteQueueTest, Borrowed_IsNotCopiedAndOwnerIsKeptUntilSent) {
  ByteQueue queue;
  const auto owner = std::make_shared<const std::string>("borrowed");
  queue.AppendBorrowed(BytesOf(*owner), owner);
  std::array<iovec, 2> slices;
  ASSERT_EQ(queue.Slices(slices), 1U);
  EXPECT_EQ(slices[0].iov_base, owner->data());
  EXPECT_EQ(owner.use_count(), 2);
  queue.Sent(7);
  EXPECT_EQ(owner.use_count(), 2);
  queue.Sent(1);
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_TRUE(queue.empty());
}

TEST(ByteQueueTest, MoveTo_SharesTheOwner) {
  ByteQueue queue, other;
  const auto owner = std::make_shared<const std::string>("borrowed");
  queue.AppendBorrowed(BytesOf(*owner), owner);
  queue.MoveTo(4, other);
  EXPECT_EQ(owner.use_count(), 3);
  EXPECT_EQ(Contents(other), "borr");
  EXPECT_EQ(Contents(queue), "owed");
  queue.Clear();
  EXPECT_EQ(owner.use_count(), 2);
  other.CopyBorrowed();
  EXPECT_EQ(owner.use_count(), 1);
  EXPECT_EQ(Contents(other), "borr");
}

TEST(ByteQueueTest, NeverEmptyQueue_DoesNotGrow) {
  ByteQueue queue;
  const std::string piece(10'000, 'x');
  queue.Append(BytesOf(piece));
  for (int i = 0; i < 10'000; ++i) {
    queue.Append(BytesOf(piece));
    queue.Sent(piece.size());
  }
  EXPECT_EQ(Contents(queue), piece);
  // 100 MB went through; what it keeps has a limit.
  EXPECT_LE(queue.own_capacity(), std::size_t{4} << 20);
}

// The same, with the unsent byte always in a borrowed piece.
TEST(ByteQueueTest, NeverEmptyQueueOfBoth_DoesNotGrow) {
  ByteQueue queue;
  const std::string piece(10'000, 'x');
  AppendBorrowed(queue, piece);
  for (int i = 0; i < 10'000; ++i) {
    queue.Append(BytesOf(piece));
    AppendBorrowed(queue, piece);
    queue.Sent(2 * piece.size());
  }
  EXPECT_EQ(Contents(queue), piece);
  EXPECT_LE(queue.own_capacity(), std::size_t{4} << 20);
}

void RandomStep(RandomSource& random, ByteQueue& queue, std::string& model, ByteQueue& other,
                std::string& other_model) {
  const std::string text = random.Text(random.Below(random.OneIn(10) ? 100'000 : 50));
  const std::size_t part = random.Below(model.size() + 1);
  switch (random.Below(9)) {
    case 0:
    case 1:
      queue.Append(BytesOf(text));
      model += text;
      break;
    case 2:
      AppendBorrowed(queue, text);
      model += text;
      break;
    case 3:
      if (text.empty()) break;
      queue.Reserve(text.size());
      std::memcpy(queue.Extend(text.size()), text.data(), text.size());
      model += text;
      break;
    case 4:
    case 5:
      queue.Sent(part);
      model.erase(0, part);
      break;
    case 6:
    case 7:
      queue.MoveTo(part, other);
      other_model += model.substr(0, part);
      model.erase(0, part);
      break;
    default:
      if (random.OneIn(10)) {
        queue.Clear();
        model.clear();
      } else if (random.OneIn(3)) {
        queue.CopyBorrowed();
      }
  }
}

TEST(ByteQueueTest, RandomUse_AgreesWithStrings) {
  const std::uint64_t first = RandomSource::Seed(1);
  for (std::uint64_t seed = first; seed < first + 15; ++seed) {
    SCOPED_TRACE(seed);
    RandomSource random(seed);
    ByteQueue a, b;
    std::string model_a, model_b;
    for (int i = 0; i < 400; ++i) {
      if (random.OneIn(2)) {
        RandomStep(random, a, model_a, b, model_b);
      } else {
        RandomStep(random, b, model_b, a, model_a);
      }
      ASSERT_EQ(a.pending_bytes(), model_a.size());
      ASSERT_EQ(b.empty(), model_b.empty());
      ASSERT_TRUE(Contents(a) == model_a && Contents(b) == model_b) << "step " << i;
    }
  }
}

TEST(ByteQueueTest, Slices_StopsAtWhatFits) {
  ByteQueue queue;
  for (int i = 0; i < 5; ++i) AppendBorrowed(queue, "ab");
  std::array<iovec, 3> slices;
  EXPECT_EQ(queue.Slices(slices), 3U);
}

}  // namespace
}  // namespace penstock
