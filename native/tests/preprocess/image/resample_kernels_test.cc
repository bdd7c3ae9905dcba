// Every set of kernels that this machine runs gives the bytes and the floats of the scalar ones.
#include "preprocess/image/resample_kernels.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "preprocess/image/resizer.h"

namespace penstock::preprocess {
namespace {

struct Case {
  Size source;
  Size resized;
  int channels;
  Filter filter;
};

// Memory that ends where a source may be read no further: a sanitizer sees one byte more.
std::vector<std::uint8_t> Noise(Size size, int channels, std::mt19937& random) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size.width) *
                                       static_cast<std::size_t>(size.height) *
                                       static_cast<std::size_t>(channels) +
                                   kReadAhead);
  // Extremes, so that filters with negative weights over- and undershoot.
  for (std::uint8_t& pixel : pixels) {
    const unsigned value = random() % 512;
    pixel = static_cast<std::uint8_t>(value < 256 ? value : value % 2 * 255);
  }
  return pixels;
}

std::vector<std::byte> Resample(const ResampleKernels& kernels, const Case& test,
                                const std::vector<std::uint8_t>& pixels, DataType dtype) {
  const FramingSpec spec{.crop_before = {},
                         .resize = ResizeMode::kExact,
                         .size = test.resized,
                         .center_crop = {},
                         .crop_after = {}};
  TensorFormat format{.dtype = dtype, .layout = Layout::kChw};
  format.lines = {{{.scale = 0.017F, .bias = -2.1F},
                   {.scale = 0.0175F, .bias = -2.03F},
                   {.scale = 0.0174F, .bias = -1.8F}}};
  std::vector<std::byte> output(format.BytesOf(test.resized));
  Resizer resizer(kernels);
  resizer.Run({.pixels = pixels.data(),
               .size = test.source,
               .channels = test.channels,
               .row_bytes = static_cast<std::size_t>(test.source.width) *
                            static_cast<std::size_t>(test.channels)},
              Frame(spec, test.source).value(), test.filter, format, {}, output.data());
  return output;
}

TEST(ResampleKernels, Fastest_ComesFirst_ScalarLast) {
  const ResampleKernels* const* kernels = RunnableKernels();
  ASSERT_NE(*kernels, nullptr);
  while (kernels[1] != nullptr) ++kernels;
  EXPECT_STREQ((*kernels)->name, "scalar");
}

TEST(ResampleKernels, EveryInstructionSet_GivesTheScalarTwinsBytes) {
  constexpr unsigned kSeed = 20'261;
  std::mt19937 random(kSeed);
  const auto edge = [&](int max) { return 1 + static_cast<int>(random() % unsigned(max)); };
  for (int round = 0; round < 60; ++round) {
    const Case test{.source = {edge(200), edge(200)},
                    .resized = {edge(90), edge(90)},
                    .channels = round % 3 == 0 ? 1 : 3,
                    .filter = static_cast<Filter>(1 + round % 4)};
    const std::vector<std::uint8_t> pixels = Noise(test.source, test.channels, random);
    for (const DataType dtype : {DataType::kUint8, DataType::kFp32}) {
      const auto expected = Resample(kScalarKernels, test, pixels, dtype);
      for (const auto* const* kernels = RunnableKernels(); *kernels != nullptr; ++kernels) {
        EXPECT_EQ(Resample(**kernels, test, pixels, dtype), expected)
            << (*kernels)->name << ", seed " << kSeed << ", round " << round;
      }
    }
  }
}

TEST(ResampleTaps, Weights_AddUpToOne) {
  for (const Filter filter :
       {Filter::kBox, Filter::kBilinear, Filter::kBicubic, Filter::kLanczos}) {
    for (const int source : {1, 2, 7, 100, 640, 5'000}) {
      const ResampleTaps taps = MakeTaps(filter, source, 224, 0, 224);
      for (int i = 0; i < 224; ++i) {
        std::int64_t sum = 0;
        for (int k = 0; k < taps.groups * kTapGroup; ++k)
          sum += taps.weights[taps.first_of(i) + static_cast<std::size_t>(k)];
        // Each weight is rounded.
        EXPECT_NEAR(static_cast<double>(sum), 1 << kWeightBits, taps.groups * 4);
        EXPECT_LT(taps.start[static_cast<std::size_t>(i)] + taps.groups * kTapGroup,
                  source + kTapGroup);
      }
    }
  }
}

}  // namespace
}  // namespace penstock::preprocess
