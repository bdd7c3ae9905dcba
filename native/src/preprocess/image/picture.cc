#include "preprocess/image/picture.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace penstock::preprocess {
namespace {

// a * b / 255, rounded as Pillow rounds.
unsigned MultiplyDivide255(unsigned a, unsigned b) {
  const unsigned product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

std::uint8_t Luma(const std::uint8_t* rgb) {
  return static_cast<std::uint8_t>(
      (rgb[0] * 19'595U + rgb[1] * 38'470U + rgb[2] * 7'471U + 0x8000U) >> 16);
}

std::uint8_t Composite(std::uint8_t value, std::uint8_t alpha, std::uint8_t background) {
  return static_cast<std::uint8_t>(MultiplyDivide255(value, alpha) +
                                   MultiplyDivide255(background, 255U - alpha));
}

// One pixel as three channels.
void ToRgb(PixelKind kind, const std::uint8_t* from, const AlphaPolicy& alpha,
           std::uint8_t (&rgb)[3]) {
  const bool grey = kind == PixelKind::kGrey || kind == PixelKind::kGreyAlpha;
  for (int c = 0; c < 3; ++c) {
    if (kind == PixelKind::kInvertedCmyk) {
      // The stored bytes are 255 - ink: black is from[3] = 0.
      const unsigned ink = 255U - from[c];
      const unsigned light = from[3];
      rgb[c] = static_cast<std::uint8_t>(light - MultiplyDivide255(ink, light));
    } else {
      rgb[c] = from[grey ? 0 : c];
    }
    if (kind == PixelKind::kRgba && alpha.composite) {
      rgb[c] = Composite(rgb[c], from[3], alpha.background[c]);
    }
  }
}

struct Steps {
  std::ptrdiff_t first;   // of the source's bytes, for the output's pixel (0, 0)
  std::ptrdiff_t across;  // from one output pixel to the next
  std::ptrdiff_t down;    // from one output row to the next
};

Steps StepsOf(int orientation, Size size, int channels) {
  const std::ptrdiff_t pixel = channels;
  const std::ptrdiff_t row = pixel * size.width;
  const std::ptrdiff_t right = pixel * (size.width - 1);
  const std::ptrdiff_t bottom = row * (size.height - 1);
  switch (orientation) {
    case 2:
      return {right, -pixel, row};
    case 3:
      return {right + bottom, -pixel, -row};
    case 4:
      return {bottom, pixel, -row};
    case 5:
      return {0, row, pixel};
    case 6:
      return {bottom, -row, pixel};
    case 7:
      return {right + bottom, -row, -pixel};
    case 8:
      return {right, row, -pixel};
    default:
      return {0, pixel, row};
  }
}

template <int kChannels>
void CopyOriented(const std::uint8_t* from, const Steps& steps, Picture& to) {
  for (int y = 0; y < to.size().height; ++y) {
    const std::uint8_t* source = from + steps.first + y * steps.down;
    std::uint8_t* out = to.row(y);
    for (int x = 0; x < to.size().width; ++x, source += steps.across, out += kChannels) {
      for (int c = 0; c < kChannels; ++c) out[c] = source[c];
    }
  }
}

// Numbers of a TIFF structure, in its byte order; 0 past its end.
class Tiff final {
 public:
  Tiff(const std::uint8_t* data, std::size_t size, bool big)
      : data_(data), size_(size), big_(big) {}
  std::uint32_t Number(std::size_t at, unsigned bytes) const {
    if (at > size_ || bytes > size_ - at) return 0;
    std::uint32_t number = 0;
    for (unsigned i = 0; i < bytes; ++i) {
      number |= std::uint32_t{data_[at + i]} << (8 * (big_ ? bytes - 1 - i : i));
    }
    return number;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
  bool big_;
};

}  // namespace

void Picture::Free::operator()(std::uint8_t* memory) const {
  std::free(memory);  // NOLINT
}

bool Picture::Reset(Size size, int channels) {
  CHECK(size.width > 0 && size.height > 0 && channels > 0);
  size_ = size;
  channels_ = channels;
  const std::size_t needed = row_bytes() * static_cast<std::size_t>(size.height) + kReadAhead;
  if (needed > capacity_) {
    memory_.reset();
    capacity_ = 0;
    memory_.reset(static_cast<std::uint8_t*>(std::malloc(needed)));  // NOLINT
    if (memory_ == nullptr) return false;
    capacity_ = needed;
  }
  // Read, though never used: zero keeps checkers of memory quiet about it.
  std::memset(memory_.get() + (needed - kReadAhead), 0, kReadAhead);
  return true;
}

void Picture::Trim() {
  if (capacity_ <= kKeptBytesMax) return;
  memory_.reset();
  capacity_ = 0;
}

int ChannelsOf(PixelKind kind) {
  switch (kind) {
    case PixelKind::kGrey:
      return 1;
    case PixelKind::kGreyAlpha:
      return 2;
    case PixelKind::kRgb:
      return 3;
    case PixelKind::kRgba:
    case PixelKind::kInvertedCmyk:
      return 4;
  }
  return 0;
}

void ConvertPixels(PixelKind kind, bool grey, const AlphaPolicy& alpha, Picture& picture) {
  if (kind == PixelKind::kGrey || (kind == PixelKind::kRgb && !grey)) return;
  const int channels = grey || kind == PixelKind::kGreyAlpha ? 1 : 3;
  const int from_channels = ChannelsOf(kind);
  const auto pixels = static_cast<std::int64_t>(picture.size().width) * picture.size().height;
  std::uint8_t* const memory = picture.row(0);
  for (std::int64_t i = 0; i < pixels; ++i) {
    std::uint8_t rgb[3];
    ToRgb(kind, memory + i * from_channels, alpha, rgb);
    std::uint8_t* const to = memory + i * channels;
    if (channels == 1) {
      to[0] = Luma(rgb);
    } else {
      std::memcpy(to, rgb, sizeof rgb);
    }
  }
  picture.set_channels(channels);
}

bool Orient(const Picture& from, int orientation, Picture& to) {
  Size size = from.size();
  if (SwapsEdges(orientation)) std::swap(size.width, size.height);
  if (!to.Reset(size, from.channels())) return false;
  const Steps steps = StepsOf(orientation, from.size(), from.channels());
  const std::uint8_t* const pixels = from.view().pixels;
  if (from.channels() == 1) {
    CopyOriented<1>(pixels, steps, to);
  } else {
    CopyOriented<3>(pixels, steps, to);
  }
  return true;
}

int ExifOrientation(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHeader = 8;
  constexpr std::size_t kEntry = 12;
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::uint32_t kShort = 3;
  if (size < kHeader) return 1;
  const bool big = data[0] == 'M' && data[1] == 'M';
  if (!big && !(data[0] == 'I' && data[1] == 'I')) return 1;
  const Tiff tiff(data, size, big);
  if (tiff.Number(2, 2) != 42) return 1;
  const std::size_t directory = tiff.Number(4, 4);
  const std::uint32_t entries = tiff.Number(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + i * kEntry;
    if (entry + kEntry > size) break;
    if (tiff.Number(entry, 2) != kOrientationTag || tiff.Number(entry + 2, 2) != kShort) continue;
    const std::uint32_t orientation = tiff.Number(entry + 8, 2);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

}  // namespace penstock::preprocess
