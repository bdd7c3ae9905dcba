#include "preprocess/image/decode.h"

#include <string>
#include <utility>

namespace penstock::preprocess {

Result<DecodedPicture> Decoder::Decode(std::span<const std::byte> file,
                                       const DecodeOptions& options) {
  RawPicture raw;
  if (IsJpeg(file)) {
    ASSIGN_OR_RETURN(raw, DecodeJpeg(file, options, decoded_));
  } else if (IsPng(file)) {
    ASSIGN_OR_RETURN(raw, DecodePng(file, options, decoded_));
  } else {
    return InvalidArgument("neither a JPEG nor a PNG file: " + std::to_string(file.size()) +
                           " bytes that begin like neither");
  }
  ConvertPixels(raw.kind, options.grey, options.alpha, decoded_);
  DecodedPicture picture{.view = decoded_.view(), .full_size = raw.full_size};
  if (options.orient && raw.orientation != 1) {
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
