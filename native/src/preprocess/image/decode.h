// JPEG and PNG files into pixels. Everything a file claims is checked before memory is asked for or
// work is done: what is too large, has too many scans or is cut short is refused from its headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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

enum class HuffmanChoice : std::uint8_t { kQuicker, kOurs, kLibrary };

struct DecodeOptions {
  DecodeLimits limits;
  bool grey = false;
  bool orient = true;  // as EXIF says
  AlphaPolicy alpha;
  // Opt-in: a JPEG may be decoded at a half, a quarter or an eighth of its size, as long as the
  // result is not smaller than the framing's resized picture. Quicker; not the reference's bytes.
  const FramingSpec* scaled_for = nullptr;
  // Who decodes a JPEG's Huffman codes. The results are the same; only tests ask for one of them.
  HuffmanChoice huffman = HuffmanChoice::kQuicker;
};

// A decoded picture, as it is to be seen.
struct DecodedPicture {
  PictureView view;
  Size full_size;  // before any scaled decode
};

// What a decoder found out about a file. `kind` is what its rows hold.
struct RawPicture {
  PixelKind kind = PixelKind::kRgb;
  int orientation = 1;  // to be applied: 1 where it is not asked for
  Size full_size;       // before the orientation
  Size size;            // likewise, of what is decoded
};

// A JPEG whose headers were read and found good. The file and the options outlive it.
class JpegFile {
 public:
  static Result<std::unique_ptr<JpegFile>> Open(std::span<const std::byte> file,
                                                const DecodeOptions& options);
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;
  virtual ~JpegFile() = default;

  virtual const RawPicture& raw() const = 0;
  // Decodes the next `count` rows, of raw().size.width pixels each; that many must be left.
  virtual Status ReadRows(std::uint8_t* const* rows, int count) = 0;

 protected:
  JpegFile() = default;
};

// Scratch of one thread. INVALID_ARGUMENT for what is no picture, is broken or exceeds a limit:
// another try would not help. RESOURCE_EXHAUSTED where there is no memory.
class Decoder final {
 public:
  // A PNG; what is none is told that it is no JPEG either. The view lives until the next call.
  Result<DecodedPicture> Decode(std::span<const std::byte> file, const DecodeOptions& options);
  Result<DecodedPicture> Decode(JpegFile& jpeg, const DecodeOptions& options);
  // The rows of a JPEG one after the other, where nothing has to be done to its pixels; null where
  // something has. Lives until the next call.
  std::unique_ptr<RowSource> RowsOf(JpegFile& jpeg, const DecodeOptions& options);
  // Gives back what a giant needed. Call after the view was used.
  void Trim();

 private:
  Result<DecodedPicture> Finish(const RawPicture& raw, const DecodeOptions& options);

  Picture decoded_;
  Picture oriented_;
};

bool IsJpeg(std::span<const std::byte> file);
bool IsPng(std::span<const std::byte> file);

// --- for the formats' files ---

Result<RawPicture> DecodePng(std::span<const std::byte> file, const DecodeOptions& options,
                             Picture& picture);

// Holds a header's claim against the limits. `format` begins the message; `extra_bytes` is what the
// decoder needs beside the pixels.
Status CheckClaim(const char* format, std::int64_t width, std::int64_t height, int channels,
                  std::int64_t extra_bytes, bool copied, const DecodeLimits& limits);

}  // namespace penstock::preprocess
