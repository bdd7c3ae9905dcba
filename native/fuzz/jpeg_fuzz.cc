// The JPEG decoder, with what is done to its pixels; and our Huffman decoder beside libjpeg's own.
// An input is the file behind its signature, which the fuzzer need not find out.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "fuzz/picture_fuzz.h"
#include "preprocess/image/decode.h"
#include "support/jpeg_rows.h"

namespace penstock {
namespace {

// The whole picture, and one an eighth as large.
void CompareHuffmanDecoders(std::span<const std::uint8_t> file) {
  preprocess::FramingSpec smallest;
  smallest.resize = preprocess::ResizeMode::kShortestSide;
  smallest.size = {.width = 1, .height = 1};
  for (const bool scaled : {false, true}) {
    preprocess::DecodeOptions options;
    options.limits = {.pixels_max = 1 << 16, .scans_max = 20, .memory_bytes_max = 1 << 20};
    if (scaled) options.scaled_for = &smallest;
    options.huffman = preprocess::HuffmanChoice::kOurs;
    const JpegRows ours = DecodeJpegRows(file, options);
    options.huffman = preprocess::HuffmanChoice::kLibrary;
    CHECK(ours == DecodeJpegRows(file, options));
  }
}

}  // namespace
}  // namespace penstock

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> file = {0xFF, 0xD8};
  file.insert(file.end(), data, data + size);
  penstock::FuzzPicture(file.data(), file.size());
  penstock::CompareHuffmanDecoders(file);
  return 0;
}
