// The vectorised kernels over a Simd: a type that says what an instruction set does with a vector
// of one or more blocks of 16 bytes. Included by one file for each instruction set.
//
// A horizontal step loads the 16 bytes at an output pixel's first tap from as many rows as a vector
// has blocks, and permutes each block so that a 32-bit lane holds four taps of one channel. A
// vertical step interleaves four rows to the same form. Simd::Dot multiplies such lanes by four
// weights each; four results are packed into bytes in the order in which they are stored.
#pragma once

#include <cstdint>
#include <cstring>

#include "preprocess/image/resample_kernels.h"

namespace penstock::preprocess {
namespace {

// For each lane of a block, the bytes of its four taps. Of grey pixels every lane takes the same,
// of three-byte pixels the last lane takes what stands there: nobody reads it.
alignas(16) constexpr std::uint8_t kGreyLanes[16] = {0, 1, 2, 3, 0, 1, 2, 3,
                                                     0, 1, 2, 3, 0, 1, 2, 3};
alignas(16) constexpr std::uint8_t kRgbLanes[16] = {0, 3, 6, 9,  1, 4, 7, 10,
                                                    2, 5, 8, 11, 3, 6, 9, 12};

template <typename Simd, int kSourceBytes>
void HorizontalRows(const std::uint8_t* const* source, std::uint8_t* const* destination,
                    const HorizontalTaps& taps, const std::uint8_t* lanes) {
  using Sum = typename Simd::Sum;
  const int words = taps.groups * 4;
  const typename Simd::Bytes order = Simd::Repeat(lanes);
  for (int i = 0; i < taps.output_size; i += 4) {
    Sum sums[4] = {};
    const std::uint32_t* packed = taps.packed + static_cast<std::int64_t>(i) * words;
    const std::int32_t* const start = taps.start + i;
    // Written out, not a loop: the compiler keeps the sums in registers only if their indices are
    // constants.
    const auto add = [&](Sum& sum, int j, std::int64_t shift) __attribute__((always_inline)) {
      const std::int64_t offset = std::int64_t{start[j]} * kSourceBytes + shift;
      Simd::Dot(sum, Simd::Permute(Simd::LoadRows(source, offset), order),
                packed + std::int64_t{j} * words);
    };
    for (int group = 0; group < taps.groups; ++group, packed += 4) {
      const std::int64_t shift = std::int64_t{group} * 4 * kSourceBytes;
      add(sums[0], 0, shift);
      add(sums[1], 1, shift);
      add(sums[2], 2, shift);
      add(sums[3], 3, shift);
    }
    Simd::StoreRows(Simd::PackBytes(sums), destination, i * kPixelBytes);
  }
}

template <typename Simd>
void Horizontal(const std::uint8_t* const* source, std::uint8_t* const* destination,
                const HorizontalTaps& taps, SourcePixels pixels) {
  for (int row = 0; row < kRowGroup; row += Simd::kBlocks) {
    if (pixels == SourcePixels::kGrey) {
      HorizontalRows<Simd, 1>(source + row, destination + row, taps, kGreyLanes);
    } else {
      HorizontalRows<Simd, 3>(source + row, destination + row, taps, kRgbLanes);
    }
  }
}

template <typename Simd>
void Vertical(const VerticalTaps& taps, std::uint8_t* destination, int size) {
  using Bytes = typename Simd::Bytes;
  for (int x = 0; x < size; x += Simd::kBlocks * 16) {
    typename Simd::Sum sums[4] = {};
    for (int group = 0; group < taps.groups; ++group) {
      const std::uint8_t* const* rows = taps.rows + static_cast<std::int64_t>(group) * 4;
      Bytes four[4] = {Simd::Load(rows[0] + x), Simd::Load(rows[1] + x), Simd::Load(rows[2] + x),
                       Simd::Load(rows[3] + x)};
      Simd::Interleave(four);
      const std::uint32_t* const packed = taps.packed + static_cast<std::int64_t>(group) * 4;
      Simd::Dot(sums[0], four[0], packed);
      Simd::Dot(sums[1], four[1], packed);
      Simd::Dot(sums[2], four[2], packed);
      Simd::Dot(sums[3], four[3], packed);
    }
    Simd::Store(Simd::PackBytes(sums), destination + x);
  }
}

// The compiler vectorises this by itself, pixels being whole words.
inline void ToFloat(const std::uint8_t* pixels, int count, int channel, ChannelLine line,
                    float* destination, int stride) {
  const int shift = channel * 8;
  const auto convert = [&](int i) __attribute__((always_inline)) {
    std::uint32_t word;
    std::memcpy(&word, pixels + static_cast<std::int64_t>(i) * kPixelBytes, sizeof word);
    const auto value = static_cast<std::int32_t>((word >> shift) & 0xFF);
    return static_cast<float>(value) * line.scale + line.bias;
  };
  if (stride == 1) {
    for (int i = 0; i < count; ++i) destination[i] = convert(i);
  } else {
    for (int i = 0; i < count; ++i) destination[static_cast<std::int64_t>(i) * stride] = convert(i);
  }
}

// Sixteen-bit instruction sets: a weight is high * 256 + low, both 16 bits wide. Words: the high
// parts of taps 0 and 2, of 1 and 3, then the low parts likewise.
inline void PackHalves(const std::int32_t* weights, std::uint32_t* packed) {
  std::uint32_t high[4];
  std::uint32_t low[4];
  for (int i = 0; i < 4; ++i) {
    const std::int32_t low_part = ((weights[i] + 128) & 0xFF) - 128;
    low[i] = static_cast<std::uint32_t>(low_part) & 0xFFFF;
    high[i] = static_cast<std::uint32_t>((weights[i] - low_part) >> 8) & 0xFFFF;
  }
  packed[0] = high[0] | high[2] << 16;
  packed[1] = high[1] | high[3] << 16;
  packed[2] = low[0] | low[2] << 16;
  packed[3] = low[1] | low[3] << 16;
}

}  // namespace
}  // namespace penstock::preprocess
