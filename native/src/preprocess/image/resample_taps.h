// Which source pixels make an output pixel, and with what weights: Pillow's antialiased filters in
// Pillow's fixed point. Pure; computed once for a pair of sizes and used for every row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "preprocess/image/resample_kernels.h"

namespace penstock::preprocess {

enum class Filter : std::uint8_t { kNearest, kBox, kBilinear, kBicubic, kLanczos };

// One axis. Output pixel i is the sum over k of weight(i)[k] * source[start[i] + k], rounded.
struct ResampleTaps {
  int source_size = 0;
  int output_size = 0;  // of the part that is wanted
  int groups = 0;       // of kTapGroup weights, the same for every output pixel
  // Both are padded to a multiple of four output pixels. start + 4 * groups exceeds the source by
  // at most three, and there the weights are 0.
  std::vector<std::int32_t> start;
  std::vector<std::int32_t> weights;  // 4 * groups for each output pixel
  // The same weights in the form that the kernels read: four words for each group.
  std::vector<std::uint32_t> packed;

  // Where the weights and the words of output pixel i begin.
  std::size_t first_of(int i) const {
    return static_cast<std::size_t>(i) * static_cast<std::size_t>(kTapGroup * groups);
  }
  // The first and one past the last source pixel that count.
  int source_begin() const;
  int source_end() const;
};

// Output pixels [first, first + count) of `source_size` resized to `resized_size`. For kNearest see
// NearestIndices.
ResampleTaps MakeTaps(Filter filter, int source_size, int resized_size, int first, int count);

// Writes `packed` for these kernels.
void PackTaps(const ResampleKernels& kernels, ResampleTaps& taps);

// The source pixel of each of output pixels [first, first + count).
std::vector<std::int32_t> NearestIndices(int source_size, int resized_size, int first, int count);

// How many weights an output pixel can have: what a resize costs, without doing it.
int TapsMax(Filter filter, int source_size, int resized_size);

}  // namespace penstock::preprocess
