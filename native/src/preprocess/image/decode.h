// JPEG and PNG files into pixels. Everything a file claims is checked before memory is asked for or
// work is done: what is too large, has too many scans or is cut short is refused from its headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"
#include "preprocess/image/framing.h"
#include "preprocess/image/picture.h"

namespace penstock::preprocess {

struct DecodeLimits {
  std::int64_t pixels_max = std::int64_t{1} << 24;
  // A progressive file's scans each pass over the whole picture; cameras and editors write
  // about 10.
  int scans_max = 64;
  // Pixels, coefficients and the copy that an orientation needs.
  std::int64_t memory_bytes_max = std::int64_t{64} << 20;
};

struct DecodeOptions {
  DecodeLimits limits;
  bool grey = false;
  bool orient = true;  // as EXIF says
  AlphaPolicy alpha;
  // Opt-in: a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as the
  // result is not smaller than the framing's resized picture. Quicker; not the reference's bytes.
  const FramingSpec* scaled_for = nullptr;
};

// A file looked at, not yet decoded.
struct DecodedPicture {
  PictureView view;
  Size full_size;  // of the picture as seen, before any scaled decode
};

// Scratch of one thread.
class Decoder final {
 public:
  // INVALID_ARGUMENT for what is no picture, is broken or exceeds a limit: another try would not
  // help. RESOURCE_EXHAUSTED where there is no memory. The view lives until the next call.
  Result<DecodedPicture> Decode(std::span<const std::byte> file, const DecodeOptions& options);
  // Gives back what a giant needed. Call after the view was used.
  void Trim();

 private:
  Picture decoded_;
  Picture oriented_;
};

// --- for the two formats' files ---

// What a decoder found out and did. `picture` is filled and holds pixels of `kind`.
struct RawPicture {
  PixelKind kind = PixelKind::kRgb;
  int orientation = 1;
  Size full_size;  // before the orientation
};

bool IsJpeg(std::span<const std::byte> file);
bool IsPng(std::span<const std::byte> file);
Result<RawPicture> DecodeJpeg(std::span<const std::byte> file, const DecodeOptions& options,
                              Picture& picture);
Result<RawPicture> DecodePng(std::span<const std::byte> file, const DecodeOptions& options,
                             Picture& picture);

// Holds a header's claim against the limits. `format` begins the message; `extra_bytes` is what the
// decoder needs beside the pixels.
Status CheckClaim(const char* format, std::int64_t width, std::int64_t height, int channels,
                  std::int64_t extra_bytes, bool copied, const DecodeLimits& limits);

}  // namespace penstock::preprocess
