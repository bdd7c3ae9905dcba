// Resize, normalise and transpose in one pass over a picture: rows of the first filter pass stay in
// a small ring, and each row of the second goes straight into the tensor. The bytes are Pillow's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "base/status.h"
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

// Where a picture's rows come from one after the other, as a decoder makes them.
class RowSource {
 public:
  RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;
  virtual ~RowSource() = default;

  // Rows first to first + kRowGroup, the last one repeated past the picture's end; they live until
  // the next call. `first` only grows, beyond the rows of the call before.
  virtual Status Take(int first, std::array<const std::uint8_t*, kRowGroup>& rows) = 0;
};

// Scratch memory of one thread, and the taps of the sizes it saw last.
class Resizer final {
 public:
  explicit Resizer(const ResampleKernels& kernels) : kernels_(kernels) {}

  // Writes the framed part of `picture` to `output`, format.BytesOf(framing.canvas) bytes. A grey
  // picture fills all channels of the tensor; a coloured one needs a tensor of three.
  void Run(const PictureView& picture, const Framing& framing, Filter filter,
           const TensorFormat& format, const std::vector<std::uint16_t>& halves, std::byte* output);

  // Whether RunRows does it: whole pictures whose rows are needed in one order only.
  static bool TakesRows(Size picture, const Framing& framing, Filter filter);
  // Likewise from rows that come one after the other, so that they are still in the caches. Fails
  // where the source does.
  Status RunRows(RowSource& source, Size picture, int channels, const Framing& framing,
                 Filter filter, const TensorFormat& format,
                 const std::vector<std::uint16_t>& halves, std::byte* output);

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
  class Rows final : public RowSource {
   public:
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
    Status Take(int from, std::array<const std::uint8_t*, kRowGroup>& rows) override;
  };
  void FindRows(const PictureView& picture, const Rect& rect, Rows& rows);
  const ResampleTaps& TapsOf(const Axis& axis);
  const ResampleTaps& TapsAcross(Size source, const Framing& framing, Filter filter);
  const ResampleTaps& TapsDown(Size source, const Framing& framing, Filter filter);
  void Nearest(const Rows& source, const Framing& framing, TensorWriter& writer);
  Status HorizontalFirst(RowSource& source, int channels, const Framing& framing,
                         const ResampleTaps& across, const ResampleTaps& down,
                         TensorWriter& writer);
  void VerticalFirst(const Rows& source, const Framing& framing, const ResampleTaps& across,
                     const ResampleTaps& down, TensorWriter& writer);

  const ResampleKernels& kernels_;
  std::list<CachedTaps> taps_;  // the latest used first
  std::vector<std::uint8_t> rows_;
  std::vector<std::uint8_t> copied_rows_;
  std::vector<const std::uint8_t*> row_pointers_;
};

}  // namespace penstock::preprocess
