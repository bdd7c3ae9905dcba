#include "batching/run_place.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr TimeNs kBegan = 5 * kSecond;
constexpr RunPlace kLoop = {.on_loop = true, .since = kBegan};
constexpr RunPlace kPool = {.on_loop = false, .since = kBegan};

TEST(RunPlaceTest, LeavesTheLoopAtOnceWhenClearlySlow) {
  EXPECT_TRUE(ChooseRunPlace(kLoop, kInlineRunLeaves, kBegan).on_loop);
  const RunPlace left = ChooseRunPlace(kLoop, kInlineRunLeaves + 1, kBegan + 7);
  EXPECT_FALSE(left.on_loop);
  EXPECT_EQ(left.since, kBegan + 7);
}

TEST(RunPlaceTest, ReturnsWhenClearlyFasterAndNotBeforeItsStay) {
  EXPECT_FALSE(ChooseRunPlace(kPool, 1, kBegan + kPoolStay - 1).on_loop) << "too early";
  EXPECT_FALSE(ChooseRunPlace(kPool, kInlineRunMax + 1, kBegan + kPoolStay).on_loop)
      << "not fast enough";
  const RunPlace back = ChooseRunPlace(kPool, kInlineRunMax, kBegan + kPoolStay);
  EXPECT_TRUE(back.on_loop);
  EXPECT_EQ(back.since, kBegan + kPoolStay);
}

TEST(RunPlaceTest, AtTheLimit_StaysWhereItIs) {
  RunPlace on_loop = kLoop;
  RunPlace in_pool = kPool;
  for (TimeNs now = kBegan; now < kBegan + 60 * kSecond; now += kMillisecond) {
    // To and fro around 150 us.
    const TimeNs one_row = (150 + (now / kMillisecond % 2 == 0 ? 40 : -40)) * kMicrosecond;
    on_loop = ChooseRunPlace(on_loop, one_row, now);
    in_pool = ChooseRunPlace(in_pool, one_row, now);
  }
  EXPECT_TRUE(on_loop.on_loop);
  EXPECT_FALSE(in_pool.on_loop);
}

}  // namespace
}  // namespace penstock
