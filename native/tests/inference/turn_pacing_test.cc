#include "inference/turn_pacing.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

constexpr TimeNs kRun = 30 * kMillisecond;

TEST(TurnPacingTest, Refusals_RestWhereOneFollowsAnother) {
  TurnPacing pacing(/*shares_cores=*/false);
  TimeNs now = kSecond;
  const auto rests = [&](TimeNs after, bool refused) {
    return pacing.RestAfter({.refused = refused}, now += after) == TurnPacing::kRestMax;
  };
  EXPECT_FALSE(rests(0, false)) << "nothing was refused";
  EXPECT_FALSE(rests(kMillisecond, true)) << "the first";
  EXPECT_FALSE(rests(kMicrosecond, false)) << "none in this turn";
  EXPECT_TRUE(rests(kMillisecond, true)) << "and another";
  EXPECT_TRUE(rests(TurnPacing::kRestMax, true)) << "it goes on while it rests";
  EXPECT_FALSE(rests(2 * TurnPacing::kRestMax, true)) << "one now and then";
}

TEST(TurnPacingTest, CallsThatJoinedAQueue_RestForHalfOfTheRunAhead) {
  TurnPacing pacing(/*shares_cores=*/true);
  const auto rest = [&pacing](TimeNs busy_for) {
    return pacing.RestAfter({.busy_for = busy_for, .room_left = true}, kSecond);
  };
  EXPECT_EQ(rest(kRun), TurnPacing::kRestMax);
  EXPECT_EQ(rest(3 * kMillisecond), 1500 * kMicrosecond);
  EXPECT_EQ(rest(2 * TurnPacing::kRestMin), TurnPacing::kRestMin);
  EXPECT_EQ(rest(2 * TurnPacing::kRestMin - 2), 0) << "too short to be worth it";
  EXPECT_EQ(rest(0), 0) << "a compute thread is free, or nothing joined";
}

TEST(TurnPacingTest, CallsThatFillTheNextBatch_RestForTheRunAhead) {
  TurnPacing pacing(/*shares_cores=*/true);
  const auto rest = [&pacing](TimeNs busy_for) {
    return pacing.RestAfter({.busy_for = busy_for, .room_left = false}, kSecond);
  };
  EXPECT_EQ(rest(kRun), TurnPacing::kRestMax);
  EXPECT_EQ(rest(1500 * kMicrosecond), 1500 * kMicrosecond);
  EXPECT_EQ(rest(TurnPacing::kRestMin - 1), 0) << "too short to be worth it";
}

TEST(TurnPacingTest, LoopsWithACoreLeftToThem_DoNotRestForAQueue) {
  TurnPacing pacing(/*shares_cores=*/false);
  EXPECT_EQ(pacing.RestAfter({.busy_for = kRun}, kSecond), 0);
}

TEST(TurnPacingTest, ModelThatTheLoopRuns_IsNotKeptWaiting) {
  TurnPacing pacing(/*shares_cores=*/true);
  const auto rest = [&pacing](TimeNs now, bool ran) {
    return pacing.RestAfter({.ran = ran, .busy_for = kRun}, now);
  };
  EXPECT_EQ(rest(kSecond, true), 0) << "it ran in this turn";
  EXPECT_EQ(rest(kSecond + kMillisecond, false), 0) << "it ran a moment ago";
  EXPECT_GT(rest(2 * kSecond, false), 0) << "it is not asked for any more";
}

}  // namespace
}  // namespace penstock
