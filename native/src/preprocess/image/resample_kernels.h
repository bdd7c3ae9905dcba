// The inner loops of a resize, for each instruction set that pays, and which of them this machine
// runs. All give the same bytes and the same floats as the scalar ones, which tests compare them
// with. Plain data and functions only: the files that implement this are compiled for processors
// that others are not, and an inline function of theirs must never be the one that the linker
// keeps.
#pragma once

#include <cstdint>

namespace penstock::preprocess {

// Sums of weights times bytes carry this many bits behind the point, as Pillow's do: 8 bits of
// result and 2 for what overshoots leave 22 of 32.
inline constexpr int kWeightBits = 22;
// Weights are padded to groups of four, the unit that kernels multiply at once.
inline constexpr int kTapGroup = 4;

// Bytes that may be read behind the last pixel of a source.
inline constexpr int kReadAhead = 64;
// Kernels write whole vectors: rows they write to have room for their length rounded up to this.
inline constexpr int kRowAlignment = 64;
// Rows that the horizontal kernel resamples at once.
inline constexpr int kRowGroup = 4;

// Between the passes, and behind the last, a pixel is four bytes: the channels, then anything.
inline constexpr int kPixelBytes = 4;

// Source pixels have 1 byte, which all output bytes are made from, or 3.
enum class SourcePixels : std::uint8_t { kGrey, kRgb };

struct HorizontalTaps {
  const std::int32_t* start;    // one for each output pixel
  const std::int32_t* weights;  // 4 * groups for each output pixel
  const std::uint32_t* packed;  // likewise, as Pack wrote them
  int groups;
  int output_size;  // a multiple of 4: the taps are padded
};

struct VerticalTaps {
  const std::uint8_t* const* rows;  // 4 * groups of them
  const std::int32_t* weights;
  const std::uint32_t* packed;
  int groups;
};

// value * scale + bias, rounded after each: no fused operation, the same on every machine.
struct ChannelLine {
  float scale;
  float bias;
};

struct ResampleKernels {
  const char* name;
  // Writes one group of four weights as the four words that the kernels read.
  void (*pack)(const std::int32_t* weights, std::uint32_t* packed);
  // kRowGroup rows; destinations hold 4 bytes a pixel.
  void (*horizontal)(const std::uint8_t* const* source, std::uint8_t* const* destination,
                     const HorizontalTaps& taps, SourcePixels pixels);
  // `size` bytes of one row, whatever they mean.
  void (*vertical)(const VerticalTaps& taps, std::uint8_t* destination, int size);
  // Byte `channel` of each pixel as floats, `stride` floats apart.
  void (*to_float)(const std::uint8_t* pixels, int count, int channel, ChannelLine line,
                   float* destination, int stride);
};

extern const ResampleKernels kScalarKernels;
#if defined(__x86_64__)
extern const ResampleKernels kSse41Kernels;
extern const ResampleKernels kAvx2Kernels;
extern const ResampleKernels kAvx512Kernels;
#endif

// Those that this machine can run, the fastest first, the scalar ones last; ends with a null.
const ResampleKernels* const* RunnableKernels();

}  // namespace penstock::preprocess
