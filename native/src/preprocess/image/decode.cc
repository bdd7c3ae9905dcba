#include "preprocess/image/decode.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace penstock::preprocess {

namespace {

// Decodes into the few rows that are asked for, over those of the call before.
class JpegRows final : public RowSource {
 public:
  JpegRows(JpegFile& jpeg, Picture& strip) : jpeg_(jpeg), strip_(strip) {}

  Status Take(int first, std::array<const std::uint8_t*, kRowGroup>& rows) override {
    std::array<std::uint8_t*, kRowGroup> into{};
    for (int i = 0; i < kRowGroup; ++i) into[static_cast<std::size_t>(i)] = strip_.row(i);
    for (; next_ < first; ++next_) RETURN_IF_ERROR(jpeg_.ReadRows(into.data(), 1));
    const int count = std::min(kRowGroup, jpeg_.raw().size.height - first);
    RETURN_IF_ERROR(jpeg_.ReadRows(into.data(), count));
    next_ += count;
    for (int i = 0; i < kRowGroup; ++i) {
      rows[static_cast<std::size_t>(i)] = into[static_cast<std::size_t>(std::min(i, count - 1))];
    }
    return {};
  }

 private:
  JpegFile& jpeg_;
  Picture& strip_;
  int next_ = 0;
};

bool StaysAsItIs(const RawPicture& raw, const DecodeOptions& options) {
  return raw.orientation == 1 &&
         (raw.kind == PixelKind::kGrey || (raw.kind == PixelKind::kRgb && !options.grey));
}

}  // namespace

Result<DecodedPicture> Decoder::Decode(std::span<const std::byte> file,
                                       const DecodeOptions& options) {
  if (!IsPng(file)) {
    return InvalidArgument("neither a JPEG nor a PNG file: " + std::to_string(file.size()) +
                           " bytes that begin like neither");
  }
  ASSIGN_OR_RETURN(const RawPicture raw, DecodePng(file, options, decoded_));
  return Finish(raw, options);
}

Result<DecodedPicture> Decoder::Decode(JpegFile& jpeg, const DecodeOptions& options) {
  const RawPicture& raw = jpeg.raw();
  if (!decoded_.Reset(raw.size, ChannelsOf(raw.kind))) return ResourceExhausted("JPEG: no memory");
  // As many rows as libjpeg finishes at once.
  std::array<std::uint8_t*, 16> rows{};
  for (int y = 0; y < raw.size.height;) {
    const int count = std::min(static_cast<int>(rows.size()), raw.size.height - y);
    for (int i = 0; i < count; ++i) rows[static_cast<std::size_t>(i)] = decoded_.row(y + i);
    RETURN_IF_ERROR(jpeg.ReadRows(rows.data(), count));
    y += count;
  }
  return Finish(raw, options);
}

std::unique_ptr<RowSource> Decoder::RowsOf(JpegFile& jpeg, const DecodeOptions& options) {
  const RawPicture& raw = jpeg.raw();
  const Size strip{.width = raw.size.width, .height = kRowGroup};
  if (!StaysAsItIs(raw, options) || !decoded_.Reset(strip, ChannelsOf(raw.kind))) return nullptr;
  return std::make_unique<JpegRows>(jpeg, decoded_);
}

Result<DecodedPicture> Decoder::Finish(const RawPicture& raw, const DecodeOptions& options) {
  ConvertPixels(raw.kind, options.grey, options.alpha, decoded_);
  DecodedPicture picture{.view = decoded_.view(), .full_size = raw.full_size};
  if (raw.orientation != 1) {
    if (!Orient(decoded_, raw.orientation, oriented_)) {
      return ResourceExhausted("no memory for a picture's orientation");
    }
    picture.view = oriented_.view();
    if (SwapsEdges(raw.orientation)) std::swap(picture.full_size.width, picture.full_size.height);
  }
  return picture;
}

void Decoder::Trim() {
  decoded_.Trim();
  oriented_.Trim();
}

Status CheckClaim(const char* format, std::int64_t width, std::int64_t height, int channels,
                  std::int64_t extra_bytes, bool copied, const DecodeLimits& limits) {
  const auto claim = [&] {
    return std::string(format) + " of " + std::to_string(width) + "x" + std::to_string(height) +
           " pixels";
  };
  if (width <= 0 || height <= 0) return InvalidArgument(claim() + ": it is empty");
  // Both are below 2^31, so the product does not overflow.
  const std::int64_t pixels = width * height;
  if (pixels > limits.pixels_max) {
    return InvalidArgument(claim() + ", the limit is " + std::to_string(limits.pixels_max) +
                           " (max_pixels)");
  }
  const std::int64_t bytes = pixels * channels * (copied ? 2 : 1) + extra_bytes;
  if (bytes > limits.memory_bytes_max) {
    return InvalidArgument(claim() + " needs " + std::to_string(bytes) +
                           " bytes to decode, the limit is " +
                           std::to_string(limits.memory_bytes_max) + " (max_memory_bytes)");
  }
  return {};
}

}  // namespace penstock::preprocess
