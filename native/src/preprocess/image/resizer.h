// Resize, normalise and transpose in one pass over a picture: rows of the first filter pass stay in
// a small ring, and each row of the second goes straight into the tensor. The bytes are Pillow's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "preprocess/image/framing.h"
#include "preprocess/image/resample_kernels.h"
#include "preprocess/image/resample_taps.h"
#include "preprocess/image/tensor_format.h"

namespace penstock::preprocess {

// Decoded pixels, borrowed.
struct PictureView {
  const std::uint8_t* pixels = nullptr;
  Size size;
  int channels = 0;  // 1 (grey) or 3 bytes a pixel
  std::size_t row_bytes = 0;
  // kReadAhead bytes behind the last pixel may be read, whatever they hold.
  bool padded = true;
};

// Scratch memory of one thread, and the taps of the sizes it saw last.
class Resizer final {
 public:
  explicit Resizer(const ResampleKernels& kernels) : kernels_(kernels) {}

  // Writes the framed part of `picture` to `output`, format.BytesOf(framing.canvas) bytes. A grey
  // picture fills all channels of the tensor; a coloured one needs a tensor of three.
  void Run(const PictureView& picture, const Framing& framing, Filter filter,
           const TensorFormat& format, const std::vector<std::uint16_t>& halves, std::byte* output);

 private:
  struct Axis {
    Filter filter;
    int source_size;
    int resized_size;
    int first;
    int count;
    bool operator==(const Axis&) const = default;
  };
  struct CachedTaps {
    Axis axis;
    ResampleTaps taps;
  };
  // The two axes of some sizes; a thread that sees more recomputes, which costs microseconds.
  static constexpr std::size_t kCachedTapsMax = 16;

  // Rows of a picture; the last ones are copies where nothing may be read behind them.
  struct Rows {
    const std::uint8_t* first = nullptr;
    const std::uint8_t* copied = nullptr;
    int copied_from = 0;
    std::size_t row_bytes = 0;
    Size size;
    int channels = 0;

    const std::uint8_t* At(int y) const {
      if (y >= copied_from) return copied + static_cast<std::size_t>(y - copied_from) * row_bytes;
      return first + static_cast<std::size_t>(y) * row_bytes;
    }
  };
  Rows RowsOf(const PictureView& picture, const Rect& rect);
  const ResampleTaps& TapsOf(const Axis& axis);
  void Nearest(const Rows& source, const Framing& framing, TensorWriter& writer);
  void HorizontalFirst(const Rows& source, const Framing& framing,
                       const ResampleTaps& across, const ResampleTaps& down, TensorWriter& writer);
  void VerticalFirst(const Rows& source, const Framing& framing, const ResampleTaps& across,
                     const ResampleTaps& down, TensorWriter& writer);

  const ResampleKernels& kernels_;
  std::list<CachedTaps> taps_;  // the latest used first
  std::vector<std::uint8_t> rows_;
  std::vector<std::uint8_t> copied_rows_;
  std::vector<const std::uint8_t*> row_pointers_;
};

}  // namespace penstock::preprocess
