// The kernels as one would write them down: the reference of the vectorised ones, and what runs on
// processors that have none.
#include "preprocess/image/resample_kernels.h"

namespace penstock::preprocess {
namespace {

constexpr std::int32_t kHalf = 1 << (kWeightBits - 1);

std::uint8_t ToByte(std::int32_t sum) {
  const std::int32_t value = sum >> kWeightBits;
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

void Pack(const std::int32_t* weights, std::uint32_t* packed) {
  for (int i = 0; i < kTapGroup; ++i) packed[i] = static_cast<std::uint32_t>(weights[i]);
}

template <int kSourceBytes>
void HorizontalRow(const std::uint8_t* source, std::uint8_t* destination,
                   const HorizontalTaps& taps) {
  const std::int64_t width = std::int64_t{taps.groups} * kTapGroup;
  for (std::int64_t i = 0; i < taps.output_size; ++i) {
    const std::uint8_t* const pixels = source + std::int64_t{taps.start[i]} * kSourceBytes;
    const std::int32_t* const weights = taps.weights + i * width;
    std::int32_t sums[kPixelBytes] = {kHalf, kHalf, kHalf, kHalf};
    for (std::int64_t k = 0; k < width; ++k) {
      for (int c = 0; c < kPixelBytes; ++c) {
        const int channel = kSourceBytes == 1 ? 0 : c;
        if (channel < kSourceBytes) sums[c] += weights[k] * pixels[k * kSourceBytes + channel];
      }
    }
    for (int c = 0; c < kPixelBytes; ++c) destination[i * kPixelBytes + c] = ToByte(sums[c]);
  }
}

void Horizontal(const std::uint8_t* const* source, std::uint8_t* const* destination,
                const HorizontalTaps& taps, SourcePixels pixels) {
  for (int row = 0; row < kRowGroup; ++row) {
    if (pixels == SourcePixels::kGrey) {
      HorizontalRow<1>(source[row], destination[row], taps);
    } else {
      HorizontalRow<3>(source[row], destination[row], taps);
    }
  }
}

void Vertical(const VerticalTaps& taps, std::uint8_t* destination, int size) {
  for (int i = 0; i < size; ++i) {
    std::int32_t sum = kHalf;
    for (int k = 0; k < taps.groups * kTapGroup; ++k) sum += taps.weights[k] * taps.rows[k][i];
    destination[i] = ToByte(sum);
  }
}

void ToFloat(const std::uint8_t* pixels, int count, int channel, ChannelLine line,
             float* destination, int stride) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float value = pixels[i * kPixelBytes + channel];
    destination[i * stride] = value * line.scale + line.bias;
  }
}

}  // namespace

extern const ResampleKernels kScalarKernels = {.name = "scalar",
                                               .pack = &Pack,
                                               .horizontal = &Horizontal,
                                               .vertical = &Vertical,
                                               .to_float = &ToFloat};

}  // namespace penstock::preprocess
