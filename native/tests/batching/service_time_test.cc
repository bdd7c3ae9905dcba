// What is predicted from what was measured, and how it follows what is observed.
#include "batching/service_time.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace penstock {
namespace {

constexpr std::array<BatchDuration, 3> kDurations = {{{1, 1000}, {4, 1300}, {16, 2500}}};

TEST(ServiceTimeTest, Predict_Interpolates) {
  EXPECT_EQ(ServiceTime().Predict(5), 0);
  const ServiceTime time(kDurations);
  EXPECT_EQ(time.Predict(1), 1000);
  EXPECT_EQ(time.Predict(2), 1100);
  EXPECT_EQ(time.Predict(4), 1300);
  EXPECT_EQ(time.Predict(10), 1900);
  EXPECT_EQ(time.Predict(16), 2500);
  EXPECT_EQ(time.Predict(32), 5000) << "beyond it, in proportion";
  EXPECT_GT(time.Predict(std::int64_t{1} << 40), time.Predict(std::int64_t{1} << 39));
}

// Elements of long sounds: many millions, and seconds.
TEST(ServiceTimeTest, LargeAndLongRuns_AreInterpolatedLikeOthers) {
  const std::array<BatchDuration, 2> long_runs = {
      {{std::int64_t{1} << 16, 20 * kMillisecond}, {std::int64_t{1} << 26, 20 * kSecond}}};
  const ServiceTime time(long_runs);
  EXPECT_NEAR(static_cast<double>(time.Predict(std::int64_t{1} << 25)), 10e9, 0.1e9);
}

TEST(ServiceTimeTest, LongerThanAnybodyWaits_IsStillATime) {
  const std::array<BatchDuration, 1> minutes = {{{1, 240 * kSecond}}};
  const ServiceTime time(minutes);
  const TimeNs year = 365 * 24 * 3600 * kSecond;
  EXPECT_GT(time.Predict(std::int64_t{1} << 40), year);
  EXPECT_GT(time.Predict(std::int64_t{1} << 40) + time.PredictHigh(std::int64_t{1} << 40), year);
}

TEST(ServiceTimeTest, RunsOfHundredsOfThousandsOfElements_AreToldApart) {
  ServiceTime time;
  for (int i = 0; i < 50; ++i) {
    time.Observe(200'000, 1 * kSecond);
    time.Observe(1'000'000, 5 * kSecond);
  }
  EXPECT_EQ(time.Predict(200'000), 1 * kSecond);
  EXPECT_EQ(time.Predict(1'000'000), 5 * kSecond);
}

TEST(ServiceTimeTest, PredictHigh_IsNeverBelowTheMean) {
  ServiceTime time(kDurations);
  for (const std::int64_t rows : {1, 2, 3, 4, 10, 16, 40}) {
    EXPECT_GE(time.PredictHigh(rows), time.Predict(rows)) << rows;
  }
  // The quantile is slow: the mean has overtaken it.
  for (int i = 0; i < 20; ++i) time.Observe(1, 4000);
  EXPECT_GE(time.PredictHigh(1), time.Predict(1));
}

TEST(ServiceTimeTest, SlowerSmallRun_NeverMakesLargerOnesFaster) {
  const std::array<BatchDuration, 2> odd = {{{1, 900}, {2, 400}}};
  const ServiceTime time(odd);
  EXPECT_EQ(time.Predict(1), 900);
  EXPECT_EQ(time.Predict(2), 900);
}

TEST(ServiceTimeTest, RowsWithin_IsTheInverse) {
  const ServiceTime time(kDurations);
  for (const TimeNs budget : {0, 999, 1000, 1099, 1100, 1299, 1300, 2000, 2500, 2501, 9000}) {
    const std::int64_t rows = time.RowsWithin(20, budget);
    EXPECT_TRUE(rows == 0 || time.Predict(rows) <= budget) << budget;
    EXPECT_TRUE(rows == 20 || time.Predict(rows + 1) > budget) << budget;
  }
  EXPECT_EQ(ServiceTime().RowsWithin(8, 0), 8) << "nothing is known: nothing is forbidden";
  EXPECT_LE(time.RowsWithinHigh(16, 2600), time.RowsWithin(16, 2600));
}

TEST(ServiceTimeTest, RowsForShare_AreTheFewestThatAreSoFast) {
  const std::vector<BatchDuration> line = {{1, 5}, {64, 68}};  // l(b) = 4 + b
  const ServiceTime time(line);
  const auto speed = [](std::int64_t rows) {
    return static_cast<double>(rows) / static_cast<double>(4 + rows);
  };
  for (const double share : {0.5, 0.85, 0.99}) {
    const std::int64_t rows = time.RowsForShare(64, share);
    EXPECT_GE(speed(rows), share * speed(64));
    EXPECT_LT(speed(rows - 1), share * speed(64));
  }
  EXPECT_EQ(time.RowsForShare(64, 1), 64);
  EXPECT_EQ(ServiceTime().RowsForShare(64, 0.5), 64) << "nothing is known";
}

TEST(ServiceTimeTest, Observe_FollowsASlowerMachine) {
  ServiceTime time(kDurations);
  for (int i = 0; i < 200; ++i) {
    time.Observe(1, 2000);
    time.Observe(16, 5000);
  }
  EXPECT_NEAR(static_cast<double>(time.Predict(1)), 2000, 40);
  EXPECT_NEAR(static_cast<double>(time.Predict(16)), 5000, 100);
}

TEST(ServiceTimeTest, OneOutlier_IsHeldToFourTimes) {
  ServiceTime time(kDurations);
  time.Observe(1, 1'000'000'000);
  EXPECT_LE(time.Predict(1), 1000 + 3 * 1000 / 16 + 1);
}

TEST(ServiceTimeTest, Quantiles_RestWhereTheyShould) {
  ServiceTime time(kDurations);
  // 1 to 1000, again and again, in an order that is not sorted.
  for (int i = 0; i < 50'000; ++i) time.Observe(1, 1000 + (i * 389) % 1000);
  const ServiceTime::Bucket bucket = time.Buckets().front();
  EXPECT_EQ(bucket.runs, 50'000);
  EXPECT_NEAR(static_cast<double>(bucket.p50_ns), 1500, 75);
  EXPECT_NEAR(static_cast<double>(bucket.p90_ns), 1900, 75);
  EXPECT_NEAR(static_cast<double>(bucket.p99_ns), 1990, 75);
}

// One bucket, runs of all its sizes: a large one takes longer, which is no reason to expect it of
// a small one.
TEST(ServiceTimeTest, Quantiles_AreOfRunsOfOneSize) {
  const auto law = [](std::int64_t rows) { return 5'000'000 + rows * 550'000; };
  const std::vector<BatchDuration> warm = {
      {1, law(1)}, {8, law(8)}, {16, law(16)}, {32, law(32)}, {64, law(64)}};
  ServiceTime time(warm);
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t rows = i % 2 == 0 ? 36 : 60;
    time.Observe(rows, law(rows));
  }
  EXPECT_NEAR(static_cast<double>(time.PredictHigh(48)), static_cast<double>(law(48)),
              0.05 * law(48));
}

// From 64 rows to 36: what the large ones took is no quantile of the small ones.
TEST(ServiceTimeTest, Quantiles_MoveWithTheMean) {
  const auto law = [](std::int64_t rows) { return 5'000'000 + rows * 550'000; };
  ServiceTime time(std::vector<BatchDuration>{{32, law(32)}, {64, law(64)}});
  for (int i = 0; i < 1000; ++i) time.Observe(64, law(64));
  for (int i = 0; i < 60; ++i) time.Observe(36, law(36));
  EXPECT_LE(static_cast<double>(time.PredictHigh(36)) / law(36), 1.2) << "1.5 is a run of 64";
}

TEST(ServiceTimeTest, Fit_FindsTheLine) {
  const std::array<BatchDuration, 4> line = {{{1, 5000}, {2, 6000}, {8, 12'000}, {64, 68'000}}};
  const ServiceTime::Line fit = ServiceTime(line).Fit();
  EXPECT_NEAR(fit.t0_ns, 4000, 1);
  EXPECT_NEAR(fit.ns_per_row, 1000, 0.1);
  EXPECT_EQ(ServiceTime().Fit().ns_per_row, 0);
  const std::array<BatchDuration, 1> alone = {{{4, 800}}};
  EXPECT_NEAR(ServiceTime(alone).Fit().ns_per_row, 200, 0.1) << "one size: all of it the rows'";
}

TEST(ServiceTimeTest, ManyThreads_MayTeachAndAsk) {
  ServiceTime time(kDurations);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&time] {
      for (int n = 0; n < 20'000; ++n) {
        time.Observe(1 + n % 20, 1000 + n % 100);
        EXPECT_GT(time.Predict(1 + n % 7), 0);
      }
    });
  }
}

TEST(ServiceTimeTest, EstimateOne_FollowsRunsOfAnySizeInTheProportionOfWarmUp) {
  const std::vector<BatchDuration> durations = {{1, 1000}, {2, 1500}, {4, 2000}, {8, 4000}};
  ServiceTime service_time(durations);
  EXPECT_EQ(service_time.EstimateOne(), 1000);
  service_time.Observe(8, 4000);
  EXPECT_EQ(service_time.EstimateOne(), 1000);
  // All of them take ten times as long.
  for (int i = 0; i < 500; ++i) service_time.Observe(8, 40'000);
  EXPECT_NEAR(static_cast<double>(service_time.EstimateOne()), 10'000, 500);
  EXPECT_EQ(service_time.Predict(1), 1000) << "which a run of one row does not know yet";
  for (int i = 0; i < 500; ++i) service_time.Observe(3, 1750);
  EXPECT_NEAR(static_cast<double>(service_time.EstimateOne()), 1000, 50);
  for (int i = 0; i < 500; ++i) service_time.Observe(80, 40'000);
  EXPECT_NEAR(static_cast<double>(service_time.EstimateOne()), 1000, 50) << "beyond warm-up";
  EXPECT_EQ(ServiceTime().EstimateOne(), 0);
}

}  // namespace
}  // namespace penstock
