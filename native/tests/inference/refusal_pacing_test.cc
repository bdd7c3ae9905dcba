#include "inference/refusal_pacing.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(RefusalPacingTest, RestsOnlyWhereRefusalsFollowOneAnother) {
  RefusalPacing pacing;
  TimeNs now = kSecond;
  EXPECT_FALSE(pacing.RestsAfter(0, now)) << "nothing was refused";
  EXPECT_FALSE(pacing.RestsAfter(1, now += kMillisecond)) << "the first";
  EXPECT_FALSE(pacing.RestsAfter(1, now += kMicrosecond)) << "none in this turn";
  EXPECT_TRUE(pacing.RestsAfter(2, now += kMillisecond)) << "and another";
  EXPECT_TRUE(pacing.RestsAfter(9, now += RefusalPacing::kRest)) << "it goes on while it rests";
  EXPECT_FALSE(pacing.RestsAfter(10, now += 2 * RefusalPacing::kRest)) << "one now and then";
}

}  // namespace
}  // namespace penstock
