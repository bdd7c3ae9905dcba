// Histogram against exact order statistics of the same values. Seeds are fixed and printed.
#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace penstock {
namespace {

constexpr double kShares[] = {0.001, 0.01, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0};

std::int64_t NearestRank(const std::vector<std::int64_t>& sorted, double share) {
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

void ExpectPercentilesMatch(std::vector<std::int64_t> values) {
  Histogram histogram;
  for (const std::int64_t value : values) histogram.Record(value);
  std::sort(values.begin(), values.end());
  for (const double share : kShares) {
    const auto exact = static_cast<double>(NearestRank(values, share));
    EXPECT_NEAR(static_cast<double>(histogram.Percentile(share)), exact, 0.005 * exact + 0.5)
        << "share " << share;
  }
  EXPECT_EQ(histogram.min(), values.front());
  EXPECT_EQ(histogram.max(), values.back());
  EXPECT_EQ(histogram.count(), static_cast<std::int64_t>(values.size()));
}

TEST(Histogram, Percentile_LatenciesOfManyShapes_WithinHalfAPercentOfExact) {
  constexpr std::uint64_t kSeed = 20261121;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  std::lognormal_distribution<double> log_normal(12, 1.5);
  std::exponential_distribution<double> exponential(1e-6);
  std::uniform_int_distribution<std::int64_t> uniform(0, 300);
  std::vector<std::int64_t> values[3];
  for (int i = 0; i < 200'000; ++i) {
    values[0].push_back(static_cast<std::int64_t>(log_normal(random)));
    values[1].push_back(static_cast<std::int64_t>(exponential(random)));
    values[2].push_back(uniform(random));
  }
  for (const std::vector<std::int64_t>& shape : values) ExpectPercentilesMatch(shape);
}

TEST(Histogram, Percentile_EveryPowerOfTwoAndItsNeighbours_WithinHalfAPercent) {
  for (int bits = 0; bits < 44; ++bits) {
    for (const std::int64_t delta : {-1, 0, 1}) {
      const std::int64_t value = std::max<std::int64_t>(0, (std::int64_t{1} << bits) + delta);
      Histogram histogram;
      histogram.Record(value);
      histogram.Record(Histogram::kValueMax);
      const auto exact = static_cast<double>(value);
      EXPECT_NEAR(static_cast<double>(histogram.Percentile(0.5)), exact, 0.005 * exact) << value;
    }
  }
}

TEST(Histogram, Record_OutOfRange_CountsAtTheEnds) {
  Histogram histogram;
  histogram.Record(-5);
  histogram.Record(Histogram::kValueMax + 1);
  EXPECT_EQ(histogram.min(), 0);
  EXPECT_EQ(histogram.max(), Histogram::kValueMax);
  EXPECT_EQ(histogram.count(), 2);
}

TEST(Histogram, Merge_TwoHalves_EqualsTheWhole) {
  constexpr std::uint64_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  std::mt19937_64 random(kSeed);
  std::lognormal_distribution<double> log_normal(10, 2);
  Histogram whole;
  Histogram halves[2];
  for (int i = 0; i < 10'000; ++i) {
    const auto value = static_cast<std::int64_t>(log_normal(random));
    whole.Record(value);
    halves[i % 2].Record(value);
  }
  halves[0].Merge(halves[1]);
  std::vector<std::pair<std::int64_t, std::int64_t>> merged_buckets;
  std::vector<std::pair<std::int64_t, std::int64_t>> whole_buckets;
  halves[0].ForEachBucket([&merged_buckets](std::int64_t value, std::int64_t count) {
    merged_buckets.emplace_back(value, count);
  });
  whole.ForEachBucket([&whole_buckets](std::int64_t value, std::int64_t count) {
    whole_buckets.emplace_back(value, count);
  });
  EXPECT_EQ(merged_buckets, whole_buckets);
  EXPECT_EQ(halves[0].sum(), whole.sum());
  EXPECT_EQ(halves[0].min(), whole.min());
  EXPECT_EQ(halves[0].max(), whole.max());
}

TEST(Histogram, ForEachBucket_AnyValues_RisesAndCountsAll) {
  Histogram histogram;
  for (std::int64_t value = 1; value < 1'000'000; value = value * 9 / 8 + 1) {
    histogram.Record(value);
  }
  std::int64_t last = -1;
  std::int64_t total = 0;
  histogram.ForEachBucket([&last, &total](std::int64_t value, std::int64_t count) {
    EXPECT_GT(value, last);
    last = value;
    total += count;
  });
  EXPECT_EQ(total, histogram.count());
}

TEST(Histogram, Clear_AfterUse_IsAsNew) {
  Histogram histogram;
  histogram.Record(1);
  histogram.Record(1'000'000'000);
  histogram.Clear();
  EXPECT_EQ(histogram.count(), 0);
  EXPECT_EQ(histogram.Percentile(0.5), 0);
  EXPECT_EQ(histogram.mean(), 0);
  histogram.Record(500);
  int buckets = 0;
  histogram.ForEachBucket([&buckets](std::int64_t, std::int64_t) { ++buckets; });
  EXPECT_EQ(buckets, 1);
}

}  // namespace
}  // namespace penstock
