// Decoded pixels that a thread keeps and fills again, and what happens to them between the decoder
// and the resize: fewer channels, another orientation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "preprocess/image/framing.h"
#include "preprocess/image/resizer.h"

namespace penstock::preprocess {

// Rows without padding; kReadAhead bytes behind the last may be read.
class Picture final {
 public:
  // Room for the pixels, which are not initialised. False where there is no memory.
  [[nodiscard]] bool Reset(Size size, int channels);
  // Gives memory back beyond what ordinary pictures need, so that one giant does not stay.
  void Trim();

  Size size() const { return size_; }
  int channels() const { return channels_; }
  std::uint8_t* row(int y) { return memory_.get() + row_bytes() * static_cast<std::size_t>(y); }
  std::size_t row_bytes() const {
    return static_cast<std::size_t>(size_.width) * static_cast<std::size_t>(channels_);
  }
  PictureView view() const {
    return {
        .pixels = memory_.get(), .size = size_, .channels = channels_, .row_bytes = row_bytes()};
  }
  // After the rows have been rewritten with fewer channels.
  void set_channels(int channels) { channels_ = channels; }
  void Swap(Picture& other) noexcept { std::swap(*this, other); }

 private:
  static constexpr std::size_t kKeptBytesMax = std::size_t{16} << 20;

  struct Free {
    void operator()(std::uint8_t* memory) const;
  };
  std::unique_ptr<std::uint8_t[], Free> memory_;
  std::size_t capacity_ = 0;
  Size size_;
  int channels_ = 0;
};

// What decoders deliver. Inverted: as Adobe writes CMYK, and Pillow reads all of it.
enum class PixelKind : std::uint8_t { kGrey, kGreyAlpha, kRgb, kRgba, kInvertedCmyk };
int ChannelsOf(PixelKind kind);

struct AlphaPolicy {
  bool composite = false;  // else the alpha channel is dropped, as by Pillow's convert("RGB")
  std::uint8_t background[3] = {255, 255, 255};
};

// Rewrites the picture in place as grey (`grey`) or three channels; what is grey stays grey, for
// the resize spreads it at no cost. Conversions are Pillow's, to the bit. The alpha of grey pixels
// is dropped: to composite it, a decoder delivers them as kRgba.
void ConvertPixels(PixelKind kind, bool grey, const AlphaPolicy& alpha, Picture& picture);

// Writes `from` to `to` as EXIF's orientation (1 to 8) says it is to be seen. False: no memory.
[[nodiscard]] bool Orient(const Picture& from, int orientation, Picture& to);
inline bool SwapsEdges(int orientation) {
  return orientation >= 5;
}

// The orientation in a TIFF structure, as EXIF has it; 1 where there is none or it is broken.
int ExifOrientation(const std::uint8_t* data, std::size_t size);

}  // namespace penstock::preprocess
