// ArrivalSchedule and Mix: statistics of seeded draws against what the rates promise.
#include "load/arrivals.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "load/mix.h"

namespace penstock::load {
namespace {

std::vector<TimeNs> All(Arrivals arrivals, const std::vector<RateSegment>& segments,
                        std::uint64_t seed) {
  ArrivalSchedule schedule(arrivals, segments, seed);
  std::vector<TimeNs> due;
  for (TimeNs next = schedule.Next(); next != kNever; next = schedule.Next()) due.push_back(next);
  EXPECT_TRUE(std::ranges::is_sorted(due));
  EXPECT_TRUE(due.empty() || due.back() <= schedule.end());
  return due;
}

std::int64_t CountBetween(const std::vector<TimeNs>& due, TimeNs from, TimeNs to) {
  return std::ranges::lower_bound(due, to) - std::ranges::lower_bound(due, from);
}

TEST(ArrivalSchedule, Constant_EvenRate_HasEvenGaps) {
  const std::vector<TimeNs> due =
      All(Arrivals::kConstant, {{.duration_s = 2, .rate_start = 1000, .rate_end = 1000}}, 1);
  ASSERT_GE(due.size(), 1999U);
  for (std::size_t i = 1; i < due.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(due[i] - due[i - 1]), 1e6, 2);
  }
}

TEST(ArrivalSchedule, Poisson_EvenRate_GapsAreExponential) {
  constexpr double kRate = 50'000;
  const std::vector<TimeNs> due =
      All(Arrivals::kPoisson, {{.duration_s = 10, .rate_start = kRate, .rate_end = kRate}}, 42);
  // 500,000 expected, standard deviation 707: five of them.
  EXPECT_NEAR(static_cast<double>(due.size()), 500'000, 3600);
  double sum = 0;
  double squares = 0;
  std::int64_t longer_than_mean = 0;
  for (std::size_t i = 1; i < due.size(); ++i) {
    const double gap_s = static_cast<double>(due[i] - due[i - 1]) / 1e9;
    sum += gap_s;
    squares += gap_s * gap_s;
    longer_than_mean += gap_s > 1 / kRate;
  }
  const auto count = static_cast<double>(due.size() - 1);
  const double mean = sum / count;
  const double deviation = std::sqrt(squares / count - mean * mean);
  EXPECT_NEAR(deviation / mean, 1.0, 0.01);
  EXPECT_NEAR(static_cast<double>(longer_than_mean) / count, std::exp(-1.0), 0.005);
}

TEST(ArrivalSchedule, Next_SameSeed_SameTimesAnotherSeedOthers) {
  const std::vector<RateSegment> segments = {{.duration_s = 1, .rate_start = 500, .rate_end = 900}};
  EXPECT_EQ(All(Arrivals::kPoisson, segments, 3), All(Arrivals::kPoisson, segments, 3));
  EXPECT_NE(All(Arrivals::kPoisson, segments, 3), All(Arrivals::kPoisson, segments, 4));
}

class Shapes : public testing::TestWithParam<Arrivals> {};

TEST_P(Shapes, Next_StepRampSpikeAndPause_CountsFollowTheArea) {
  const std::vector<RateSegment> segments = {
      {.duration_s = 1, .rate_start = 10'000, .rate_end = 10'000},      // step
      {.duration_s = 2, .rate_start = 10'000, .rate_end = 50'000},      // ramp up
      {.duration_s = 1, .rate_start = 0, .rate_end = 0},                // pause
      {.duration_s = 0.1, .rate_start = 200'000, .rate_end = 200'000},  // spike
      {.duration_s = 2, .rate_start = 20'000, .rate_end = 0},           // ramp to nothing
  };
  const std::vector<TimeNs> due = All(GetParam(), segments, 11);
  const double expected[] = {10'000, 60'000, 0, 20'000, 20'000};
  double from_s = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const double to_s = from_s + segments[i].duration_s;
    const auto count = static_cast<double>(
        CountBetween(due, static_cast<TimeNs>(from_s * 1e9), static_cast<TimeNs>(to_s * 1e9)));
    // Poisson: five standard deviations. Constant: one call on either edge.
    const double allowed = GetParam() == Arrivals::kPoisson ? 5 * std::sqrt(expected[i]) : 2;
    EXPECT_NEAR(count, expected[i], allowed) << "segment " << i;
    from_s = to_s;
  }
  // Half of a linear ramp's time holds its lighter part: 20,000 of 60,000 calls.
  const double allowed = GetParam() == Arrivals::kPoisson ? 5 * std::sqrt(20'000) : 2;
  EXPECT_NEAR(static_cast<double>(CountBetween(due, kSecond, 2 * kSecond)), 20'000, allowed);
}

INSTANTIATE_TEST_SUITE_P(Both, Shapes, testing::Values(Arrivals::kPoisson, Arrivals::kConstant));

TEST(CheckSegments, NotASchedule_SaysWhatIsWrong) {
  EXPECT_FALSE(CheckSegments({}).ok());
  EXPECT_FALSE(CheckSegments({{.duration_s = 1}}).ok());
  EXPECT_FALSE(CheckSegments({{.duration_s = 0, .rate_start = 1, .rate_end = 1}}).ok());
  EXPECT_FALSE(CheckSegments({{.duration_s = 1, .rate_start = -1, .rate_end = 5}}).ok());
  EXPECT_FALSE(CheckSegments({{.duration_s = 1, .rate_start = 1e12, .rate_end = 1e12}}).ok());
  EXPECT_FALSE(CheckSegments({{.duration_s = NAN, .rate_start = 1, .rate_end = 1}}).ok());
  EXPECT_TRUE(CheckSegments({{.duration_s = 1, .rate_start = 0, .rate_end = 1}}).ok());
}

TEST(Mix, Next_WeightedPayloads_SharesFollowTheWeights) {
  std::vector<LoadPayload> payloads(3);
  payloads[0] = {.messages = {"a"}, .weight = 1};
  payloads[1] = {.messages = {"a", "b", "c", "d"}, .weight = 2};
  payloads[2] = {.messages = {"a", "b"}, .weight = 5};
  Mix mix(payloads, 99);
  constexpr int kDraws = 80'000;
  int drawn[3][4] = {};
  for (int i = 0; i < kDraws; ++i) {
    const MixChoice choice = mix.Next();
    ASSERT_LT(choice.payload, 3U);
    ASSERT_LT(choice.message, payloads[choice.payload].messages.size());
    ++drawn[choice.payload][choice.message];
  }
  // Five standard deviations of the rarest.
  EXPECT_NEAR(drawn[0][0], kDraws / 8, 500);
  for (int message = 0; message < 4; ++message) EXPECT_NEAR(drawn[1][message], kDraws / 16, 400);
  for (int message = 0; message < 2; ++message)
    EXPECT_NEAR(drawn[2][message], kDraws * 5 / 16, 700);
}

}  // namespace
}  // namespace penstock::load
