#include "tensor/ranking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "support/random_source.h"

namespace penstock {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<std::int64_t> Best(const std::vector<float>& values, std::size_t k) {
  std::vector<std::int64_t> best(k);
  RankLargest(std::span<const float>(values), std::span(best));
  return best;
}

using Indices = std::vector<std::int64_t>;

TEST(Ranking, Equal_LowestIndexFirst) {
  EXPECT_EQ(Best({1, 3, 3, 2, 3}, 2), (Indices{1, 2}));
  EXPECT_EQ(Best({0, 0, 0}, 3), (Indices{0, 1, 2}));
  EXPECT_EQ(Best({-0.0F, 0.0F}, 1), Indices{0});
}

TEST(Ranking, NaN_BehindEveryNumber) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Best({kNaN, -infinity, kNaN, 1}, 4), (Indices{3, 1, 0, 2}));
  EXPECT_EQ(Best({kNaN, kNaN}, 1), Indices{0});
}

TEST(Ranking, None_IsNothing) {
  EXPECT_EQ(Best({1, 2}, 0), Indices{});
}

TEST(Ranking, RandomRows_AsAStableSort) {
  const std::uint64_t seed = RandomSource::Seed(20'261'121);
  RandomSource random(seed);
  for (int round = 0; round < 500; ++round) {
    std::vector<float> values(1 + random.Below(60));
    for (float& value : values) {
      value = random.OneIn(10) ? kNaN : static_cast<float>(random.Below(20));
    }
    Indices expected(values.size());
    std::iota(expected.begin(), expected.end(), 0);
    std::stable_sort(expected.begin(), expected.end(), [&values](std::int64_t a, std::int64_t b) {
      const float left = values[static_cast<std::size_t>(a)];
      const float right = values[static_cast<std::size_t>(b)];
      return std::isnan(right) ? !std::isnan(left) : left > right;
    });
    expected.resize(1 + random.Below(values.size()));
    EXPECT_EQ(Best(values, expected.size()), expected) << "seed " << seed << " round " << round;
  }
}

}  // namespace
}  // namespace penstock
