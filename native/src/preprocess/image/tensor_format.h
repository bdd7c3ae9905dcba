// How pixels are written into a tensor: type, layout, channels, normalisation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "preprocess/image/framing.h"
#include "preprocess/image/resample_kernels.h"
#include "tensor/tensor.h"

namespace penstock::preprocess {

enum class Layout : std::uint8_t { kChw, kHwc };

struct TensorFormat {
  DataType dtype = DataType::kFp32;  // or kFp16, kUint8
  Layout layout = Layout::kChw;
  int channels = 3;       // or 1
  bool reversed = false;  // blue first
  // Of each channel of the tensor; not used for kUint8.
  std::array<ChannelLine, 3> lines{};
  std::array<std::uint8_t, 3> fill{};  // of each channel of the tensor, before normalisation

  std::size_t BytesOf(Size canvas) const;
  Shape ShapeOf(Size canvas) const;
};

// Writes rows of four-byte pixels to their places. One for each picture; `output` outlives it.
class TensorWriter final {
 public:
  // `halves`: HalvesOf(format), for kFp16.
  TensorWriter(const ResampleKernels& kernels, const TensorFormat& format,
               const std::vector<std::uint16_t>& halves, Size canvas, std::byte* output)
      : kernels_(kernels), format_(format), halves_(halves), canvas_(canvas), output_(output) {}

  // Gives every element the fill's value.
  void Fill();
  void WriteRow(int x, int y, const std::uint8_t* pixels, int count);

 private:
  // The first element of channel `channel` at (x, y), and the distance to the next pixel's.
  std::size_t IndexOf(int x, int y, int channel) const;
  int stride() const { return format_.layout == Layout::kChw ? 1 : format_.channels; }
  int SourceChannel(int channel) const {
    return format_.reversed ? format_.channels - 1 - channel : channel;
  }

  const ResampleKernels& kernels_;
  const TensorFormat& format_;
  const std::vector<std::uint16_t>& halves_;
  const Size canvas_;
  std::byte* const output_;
};

// For each channel of the tensor the 256 values that a byte can become, rounded to nearest even.
std::vector<std::uint16_t> HalvesOf(const TensorFormat& format);

}  // namespace penstock::preprocess
