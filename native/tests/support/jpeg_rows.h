// What becomes of a JPEG file, to hold two ways of decoding it against each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "preprocess/image/decode.h"

namespace penstock {

// Its rows, as far as they came, and why no more did.
struct JpegRows {
  std::vector<std::uint8_t> pixels;
  std::string error;
  bool operator==(const JpegRows&) const = default;
};

inline JpegRows DecodeJpegRows(std::span<const std::uint8_t> file,
                               const preprocess::DecodeOptions& options) {
  const auto jpeg = preprocess::JpegFile::Open(std::as_bytes(file), options);
  if (!jpeg.ok()) return {.pixels = {}, .error = std::string(jpeg.status().message())};
  const preprocess::RawPicture& raw = jpeg.value()->raw();
  const std::size_t stride = static_cast<std::size_t>(raw.size.width) * 4;  // or less
  JpegRows rows;
  for (int y = 0; y < raw.size.height && rows.error.empty(); ++y) {
    rows.pixels.resize(rows.pixels.size() + stride);
    std::uint8_t* const row = rows.pixels.data() + rows.pixels.size() - stride;
    const Status status = jpeg.value()->ReadRows(&row, 1);
    if (status.ok()) continue;
    // What stands in a row that was not finished means nothing.
    rows.pixels.resize(rows.pixels.size() - stride);
    rows.error = status.message();
  }
  return rows;
}

}  // namespace penstock
