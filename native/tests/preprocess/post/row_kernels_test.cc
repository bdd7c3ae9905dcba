#include "preprocess/post/row_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "support/random_source.h"

namespace penstock::preprocess {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

template <typename T>
std::vector<T> Softmax(const std::vector<T>& in) {
  std::vector<T> out(in.size());
  SoftmaxRow(in.data(), out.data(), in.size());
  return out;
}

// Anything from -limit to limit.
float Number(RandomSource& random, float limit) {
  return (static_cast<float>(random.Below(2'000'001)) / 1e6F - 1.0F) * limit;
}

TEST(RowKernels, Softmax_AsInHigherPrecision) {
  const std::uint64_t seed = RandomSource::Seed(4'711);
  RandomSource random(seed);
  for (int round = 0; round < 400; ++round) {
    std::vector<float> in(1 + random.Below(70));
    const float limit = random.OneIn(3) ? 1000.0F : 8.0F;
    for (float& value : in) value = Number(random, limit);
    // In FP32, as the difference is taken.
    const float largest = *std::max_element(in.begin(), in.end());
    double sum = 0;
    for (const float value : in) sum += std::exp(static_cast<double>(value - largest));
    const std::vector<float> out = Softmax(in);
    for (std::size_t i = 0; i < in.size(); ++i) {
      const double expected = std::exp(static_cast<double>(in[i] - largest)) / sum;
      EXPECT_NEAR(out[i], expected, expected * 4e-7 + 2e-38) << "seed " << seed << ": " << in[i];
    }
  }
}

TEST(RowKernels, Softmax_LargeValues_DoNotOverflow) {
  EXPECT_EQ(Softmax<float>({3e38F, 3e38F}), (std::vector<float>{0.5F, 0.5F}));
  EXPECT_EQ(Softmax<float>({0, -kInfinity}), (std::vector<float>{1, 0}));
  EXPECT_EQ(Softmax<double>({1e308, 1e308}), (std::vector<double>{0.5, 0.5}));
}

TEST(RowKernels, Softmax_WhatIsNoNumber_MakesTheWholeRowNaN) {
  for (const float bad : {kNaN, kInfinity}) {
    std::vector<float> in(11, 1.0F);
    in[9] = bad;
    for (const float value : Softmax(in)) EXPECT_TRUE(std::isnan(value)) << bad;
  }
  for (const float value : Softmax<float>({-kInfinity, -kInfinity})) {
    EXPECT_TRUE(std::isnan(value));
  }
}

TEST(RowKernels, Sigmoid_AsInHigherPrecision) {
  std::vector<float> in;
  for (float value = -120; value <= 120; value += 0.37F) in.push_back(value);
  std::vector<float> out(in.size());
  SigmoidRow(in.data(), out.data(), in.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const double expected = 1 / (1 + std::exp(-static_cast<double>(in[i])));
    EXPECT_NEAR(out[i], expected, expected * 4e-7 + 2e-38) << in[i];
  }
}

TEST(RowKernels, Sigmoid_WhatIsNoNumber_IsAsTheFormulaSays) {
  const std::vector<float> in = {kInfinity, -kInfinity, kNaN, 0};
  std::vector<float> out(in.size());
  SigmoidRow(in.data(), out.data(), in.size());
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[1], 0);
  EXPECT_TRUE(std::isnan(out[2]));
  EXPECT_EQ(out[3], 0.5F);
}

TEST(RowKernels, L2Normalize_LengthOneOrZero) {
  std::vector<float> row = {3e19F, 4e19F};
  L2NormalizeRow(row.data(), row.data(), row.size());
  EXPECT_FLOAT_EQ(row[0], 0.6F);
  EXPECT_FLOAT_EQ(row[1], 0.8F);
  std::vector<float> zeros(9, 0.0F);
  L2NormalizeRow(zeros.data(), zeros.data(), zeros.size());
  EXPECT_EQ(zeros, std::vector<float>(9, 0.0F));
}

TEST(RowKernels, MeanPool_CountsWhatTheMaskLeaves) {
  // What is padding may be anything.
  const std::vector<float> hidden = {1, 2, kNaN, kInfinity, 5, 8};
  const std::vector<std::int64_t> mask = {1, 0, 1};
  std::vector<float> out(2);
  MeanPoolRow(hidden.data(), mask.data(), 3, 2, out.data());
  EXPECT_EQ(out, (std::vector<float>{3, 5}));
  const std::vector<std::int64_t> none(3, 0);
  MeanPoolRow(hidden.data(), none.data(), 3, 2, out.data());
  EXPECT_EQ(out, (std::vector<float>{0, 0}));
  MeanPoolRow(hidden.data(), nullptr, 1, 2, out.data());
  EXPECT_EQ(out, (std::vector<float>{1, 2}));
}

}  // namespace
}  // namespace penstock::preprocess
