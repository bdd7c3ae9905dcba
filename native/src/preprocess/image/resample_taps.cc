#include "preprocess/image/resample_taps.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace penstock::preprocess {
namespace {

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double Bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

double Evaluate(Filter filter, double x) {
  switch (filter) {
    case Filter::kNearest:
      break;
    case Filter::kBox:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::kBilinear:
      return std::max(0.0, 1.0 - std::abs(x));
    case Filter::kBicubic:
      return Bicubic(x);
    case Filter::kLanczos:
      return -3.0 <= x && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0;
  }
  return 0.0;
}

double Support(Filter filter) {
  switch (filter) {
    case Filter::kNearest:
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
      return 1.0;
    case Filter::kBicubic:
      return 2.0;
    case Filter::kLanczos:
      return 3.0;
  }
  return 0.0;
}

struct Axis {
  double scale;         // source pixels for each output pixel
  double filter_scale;  // by which the filter is stretched, so that shrinking averages
  double support;
};

Axis MakeAxis(Filter filter, int source_size, int resized_size) {
  const double scale = static_cast<double>(source_size) / resized_size;
  const double filter_scale = std::max(scale, 1.0);
  return {.scale = scale, .filter_scale = filter_scale, .support = Support(filter) * filter_scale};
}

int Rounded(double position) {
  return static_cast<int>(std::floor(position + 0.5));
}

// Halves away from zero.
std::int32_t ToFixed(double weight) {
  const double scaled = weight * (1 << kWeightBits);
  return static_cast<std::int32_t>(std::trunc(scaled + (weight < 0 ? -0.5 : 0.5)));
}

}  // namespace

int ResampleTaps::source_begin() const {
  return std::ranges::min(start);
}

int ResampleTaps::source_end() const {
  return std::min(source_size, std::ranges::max(start) + kTapGroup * groups);
}

int TapsMax(Filter filter, int source_size, int resized_size) {
  const Axis axis = MakeAxis(filter, source_size, resized_size);
  return std::min(source_size, static_cast<int>(std::ceil(axis.support)) * 2 + 1);
}

ResampleTaps MakeTaps(Filter filter, int source_size, int resized_size, int first, int count) {
  CHECK(filter != Filter::kNearest);
  CHECK(source_size > 0 && first >= 0 && count > 0 && first + count <= resized_size);
  const Axis axis = MakeAxis(filter, source_size, resized_size);
  ResampleTaps taps;
  taps.source_size = source_size;
  taps.output_size = count;
  taps.groups = (TapsMax(filter, source_size, resized_size) + kTapGroup - 1) / kTapGroup;
  const int width = taps.groups * kTapGroup;
  const int padded = (count + 3) / 4 * 4;
  taps.start.resize(static_cast<std::size_t>(padded));
  taps.weights.resize(taps.first_of(padded));
  std::vector<double> raw;
  for (int i = 0; i < count; ++i) {
    const double center = (first + i + 0.5) * axis.scale;
    const int begin = std::max(0, Rounded(center - axis.support));
    const int end = std::min(source_size, Rounded(center + axis.support));
    raw.clear();
    double sum = 0;
    for (int x = begin; x < end; ++x) {
      raw.push_back(Evaluate(filter, (x - center + 0.5) * (1.0 / axis.filter_scale)));
      sum += raw.back();
    }
    // Moved left at the right edge, so that a whole group can be read there.
    const int start = std::max(0, std::min(begin, source_size - width));
    taps.start[static_cast<std::size_t>(i)] = start;
    std::int32_t* const weights = taps.weights.data() + taps.first_of(i);
    for (int x = begin; x < end; ++x) {
      const double weight = raw[static_cast<std::size_t>(x - begin)];
      weights[x - start] = ToFixed(sum != 0.0 ? weight / sum : weight);
    }
  }
  std::fill(taps.start.begin() + count, taps.start.end(), taps.start[0]);
  return taps;
}

void PackTaps(const ResampleKernels& kernels, ResampleTaps& taps) {
  taps.packed.resize(taps.weights.size());
  for (std::size_t i = 0; i < taps.weights.size(); i += kTapGroup) {
    kernels.pack(taps.weights.data() + i, taps.packed.data() + i);
  }
}

std::vector<std::int32_t> NearestIndices(int source_size, int resized_size, int first, int count) {
  CHECK(source_size > 0 && first >= 0 && count > 0 && first + count <= resized_size);
  const double scale = static_cast<double>(source_size) / resized_size;
  std::vector<std::int32_t> indices;
  indices.reserve(static_cast<std::size_t>(count));
  // Added up as Pillow does: a product would round to other pixels now and then.
  double at = scale * 0.5;
  for (int i = 0; i < first + count; ++i, at += scale) {
    if (i >= first) indices.push_back(std::min(static_cast<std::int32_t>(at), source_size - 1));
  }
  return indices;
}

}  // namespace penstock::preprocess
