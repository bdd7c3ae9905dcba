// The JPEG decoder, with what is done to its pixels. An input is the file behind its signature,
// which the fuzzer need not find out.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "fuzz/picture_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> file = {0xFF, 0xD8};
  file.insert(file.end(), data, data + size);
  penstock::FuzzPicture(file.data(), file.size());
  return 0;
}
