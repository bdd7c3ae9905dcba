#include "preprocess/image/sample_jpeg.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

// It names FILE and size_t and includes nothing for them, so it comes after what does.
// clang-format off
#include <jpeglib.h>
// clang-format on

namespace penstock::preprocess {
namespace {

constexpr std::uint32_t kWidth = 640;
constexpr std::uint32_t kHeight = 480;
constexpr int kQuality = 90;
constexpr std::uint32_t kNoise = 24;  // of 255; what makes the coded data so long

// One row of pixels. `state` is that of a linear congruential generator.
void FillRow(std::uint32_t y, std::uint32_t& state, std::vector<std::uint8_t>& row) {
  for (std::uint32_t x = 0; x < kWidth; ++x) {
    const bool patch = (x / 80 + y / 60) % 2 == 0;
    for (std::uint32_t channel = 0; channel < 3; ++channel) {
      state = state * 1664525U + 1013904223U;
      const std::uint32_t shade = (x * (channel + 1) / 8 + y / 4) % 160 + (patch ? 50 : 0);
      row[x * 3 + channel] = static_cast<std::uint8_t>(shade + (state >> 16) % kNoise);
    }
  }
}

}  // namespace

std::string MakeSampleJpeg() {
  jpeg_compress_struct compress = {};
  jpeg_error_mgr errors = {};
  // Its way with an error is to end the process; there is none to make with this picture.
  compress.err = jpeg_std_error(&errors);
  jpeg_create_compress(&compress);
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's
  jpeg_mem_dest(&compress, &data, &size);
  compress.image_width = kWidth;
  compress.image_height = kHeight;
  compress.input_components = 3;
  compress.in_color_space = JCS_RGB;
  jpeg_set_defaults(&compress);
  jpeg_set_quality(&compress, kQuality, TRUE);
  jpeg_start_compress(&compress, TRUE);
  std::vector<std::uint8_t> row(std::size_t{kWidth} * 3);
  std::uint32_t state = 1;
  for (std::uint32_t y = 0; y < kHeight; ++y) {
    FillRow(y, state, row);
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&compress, &rows, 1);
  }
  jpeg_finish_compress(&compress);
  std::string file(reinterpret_cast<const char*>(data), size);
  jpeg_destroy_compress(&compress);
  std::free(data);
  return file;
}

}  // namespace penstock::preprocess
