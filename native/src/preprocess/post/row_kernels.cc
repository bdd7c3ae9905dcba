#include "preprocess/post/row_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace penstock::preprocess {
namespace {

// exp of what is not above 0, within two units in the last place; 0 where the result would be no
// normal number. Without branches and calls, so that a compiler takes several at a time.
inline float ExpOfNegative(float x) {
  constexpr float kLeast = -87.3F;
  constexpr float kLog2E = 1.44269504F;
  // log(2) in two parts: the first has few enough bits that its multiples are exact.
  constexpr float kLog2High = 0.693359375F;
  constexpr float kLog2Low = -2.12194440e-4F;
  // Adding it rounds to whole numbers, which then stand in the lowest bits.
  constexpr float kRounder = 12'582'912.0F;
  const float clamped = x < kLeast ? kLeast : x;
  const float rounded = clamped * kLog2E + kRounder;
  const float power = rounded - kRounder;
  const float rest = (clamped - power * kLog2High) - power * kLog2Low;
  // The series of exp to its seventh term: the rest is within log(2) / 2 of 0.
  float series = 1.0F / 5040.0F;
  series = series * rest + 1.0F / 720.0F;
  series = series * rest + 1.0F / 120.0F;
  series = series * rest + 1.0F / 24.0F;
  series = series * rest + 1.0F / 6.0F;
  series = series * rest + 0.5F;
  const float mantissa = rest * rest * series + rest + 1.0F;
  const std::uint32_t exponent = std::bit_cast<std::uint32_t>(rounded) << 23;
  const float result = std::bit_cast<float>(std::bit_cast<std::uint32_t>(mantissa) + exponent);
  return x < kLeast ? 0.0F : result;
}
inline double ExpOfNegative(double x) {
  return std::exp(x);
}

// Sums and maxima in so many parts side by side, in an order that no processor changes.
constexpr std::size_t kLanes = 8;

template <typename T>
T LargestOf(const T* in, std::size_t count) {
  T lanes[kLanes];
  std::fill_n(lanes, kLanes, -std::numeric_limits<T>::infinity());
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = in[i + lane] > lanes[lane] ? in[i + lane] : lanes[lane];
    }
  }
  T largest = *std::max_element(lanes, lanes + kLanes);
  for (; i < count; ++i) largest = in[i] > largest ? in[i] : largest;
  return largest;
}

// The sum of what `term` makes of each value, in double.
template <typename T, typename Term>
double SumOf(const T* in, std::size_t count, Term term) {
  double lanes[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += term(static_cast<double>(in[i + lane]));
    }
  }
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  for (; i < count; ++i) sum += term(static_cast<double>(in[i]));
  return sum;
}

template <typename T>
void Softmax(const T* in, T* out, std::size_t count) {
  const T largest = LargestOf(in, count);
  for (std::size_t i = 0; i < count; ++i) {
    const T below = in[i] - largest;
    // NaN compares false with everything, and would pass for a very small number.
    out[i] = std::isnan(below) ? below : ExpOfNegative(below);
  }
  const double sum = SumOf(out, count, [](double value) { return value; });
  const T share = static_cast<T>(1 / sum);
  for (std::size_t i = 0; i < count; ++i) out[i] *= share;
}

template <typename T>
void Sigmoid(const T* in, T* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const T value = in[i];
    const T power = ExpOfNegative(value > 0 ? -value : value);
    const T upper = 1 / (1 + power);
    const T result = value > 0 ? upper : power * upper;
    out[i] = std::isnan(value) ? value : result;
  }
}

template <typename T>
void L2Normalize(const T* in, T* out, std::size_t count) {
  constexpr double kLeastLength = 1e-12;
  const double squares = SumOf(in, count, [](double value) { return value * value; });
  const double length = std::sqrt(squares);
  // NaN stays NaN.
  const T share = static_cast<T>(1 / (length < kLeastLength ? kLeastLength : length));
  for (std::size_t i = 0; i < count; ++i) out[i] = in[i] * share;
}

template <typename T>
void MeanPool(const T* in, const std::int64_t* mask, std::size_t tokens, std::size_t width,
              T* out) {
  std::fill_n(out, width, T{0});
  std::size_t counted = 0;
  for (std::size_t token = 0; token < tokens; ++token) {
    if (mask != nullptr && mask[token] == 0) continue;
    ++counted;
    const T* const values = in + token * width;
    for (std::size_t i = 0; i < width; ++i) out[i] += values[i];
  }
  const T divisor = static_cast<T>(std::max<std::size_t>(counted, 1));
  for (std::size_t i = 0; i < width; ++i) out[i] /= divisor;
}

}  // namespace

void SoftmaxRow(const float* in, float* out, std::size_t count) {
  Softmax(in, out, count);
}
void SoftmaxRow(const double* in, double* out, std::size_t count) {
  Softmax(in, out, count);
}
void SigmoidRow(const float* in, float* out, std::size_t count) {
  Sigmoid(in, out, count);
}
void SigmoidRow(const double* in, double* out, std::size_t count) {
  Sigmoid(in, out, count);
}
void L2NormalizeRow(const float* in, float* out, std::size_t count) {
  L2Normalize(in, out, count);
}
void L2NormalizeRow(const double* in, double* out, std::size_t count) {
  L2Normalize(in, out, count);
}
void MeanPoolRow(const float* in, const std::int64_t* mask, std::size_t tokens, std::size_t width,
                 float* out) {
  MeanPool(in, mask, tokens, width, out);
}
void MeanPoolRow(const double* in, const std::int64_t* mask, std::size_t tokens, std::size_t width,
                 double* out) {
  MeanPool(in, mask, tokens, width, out);
}

}  // namespace penstock::preprocess
