#include "tensor/arena.h"

#include <gtest/gtest.h>

#include <cstring>

namespace penstock {
namespace {

constexpr std::size_t kKiB = 1024;

void RunOnce(TensorArena& arena, std::size_t size) {
  const std::span<std::byte> memory = arena.Get(size);
  std::memset(memory.data(), 1, memory.size());
  arena.Clear();
}

TEST(TensorArena, Pieces_AreAlignedAndStandOneAfterAnother) {
  TensorArena arena;
  const std::span<std::byte> one = arena.Get(128);
  const std::span<std::byte> two = arena.Get(1);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one.data()) % TensorArena::kAlignment, 0U);
  EXPECT_EQ(one.data() + one.size(), two.data());
  EXPECT_EQ(arena.Get(1).data(), two.data() + TensorArena::kAlignment);
}

TEST(TensorArena, SeveralBlocks_AreOneFromThenOn) {
  TensorArena arena;
  for (int i = 0; i < 4; ++i) arena.Get(100 * kKiB);
  const std::size_t held = arena.capacity();
  EXPECT_GE(held, 400 * kKiB);
  arena.Clear();
  EXPECT_EQ(arena.capacity(), held);
  const std::byte* const first = arena.Get(held / 2).data();
  EXPECT_EQ(arena.Get(held / 2).data(), first + held / 2);
}

TEST(TensorArena, LargeRun_IsNotPaidForByTheManySmallOnesBehindIt) {
  TensorArena arena;
  RunOnce(arena, 10'000 * kKiB);
  // The large one may be among the first that are looked back at.
  for (int i = 0; i < 2 * TensorArena::kRunsRemembered; ++i) RunOnce(arena, 200 * kKiB);
  EXPECT_EQ(arena.capacity(), 200 * kKiB);
}

TEST(TensorArena, LargeRunEveryNowAndThen_FindsItsMemoryThere) {
  TensorArena arena;
  RunOnce(arena, 10'000 * kKiB);
  const std::size_t held = arena.capacity();
  for (int i = 1; i < 10 * TensorArena::kRunsRemembered; ++i) {
    RunOnce(arena, (i % (TensorArena::kRunsRemembered / 2) == 0 ? 10'000 : 1) * kKiB);
    ASSERT_EQ(arena.capacity(), held) << i;
  }
}

TEST(TensorArena, RunsOfAQuarterAndMore_KeepWhatIsHeld) {
  TensorArena arena;
  RunOnce(arena, 10'000 * kKiB);
  for (int i = 0; i < 3 * TensorArena::kRunsRemembered; ++i) RunOnce(arena, 2'500 * kKiB);
  EXPECT_EQ(arena.capacity(), 10'000 * kKiB);
}

// A run that needs two blocks counts with both.
TEST(TensorArena, SmallPieces_CountTogether) {
  TensorArena arena;
  RunOnce(arena, 1'000 * kKiB);
  for (int i = 0; i < 3 * TensorArena::kRunsRemembered; ++i) {
    for (int piece = 0; piece < 4; ++piece) arena.Get(100 * kKiB);
    arena.Clear();
  }
  EXPECT_EQ(arena.capacity(), 1'000 * kKiB);
}

}  // namespace
}  // namespace penstock
