#include "tensor/bytes.h"

#include "base/strings.h"

namespace penstock {

std::string FindBytesFault(std::span<const std::byte> data, std::int64_t count) {
  std::size_t offset = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::size_t left = data.size() - offset;
    if (left == 0) return StrCat("ends after ", i, " of ", count, " elements");
    if (left < kBytesLengthSize) {
      return StrCat("element ", i, " at offset ", offset, " needs a length of ", kBytesLengthSize,
                    " bytes, ", left, left == 1 ? " is left" : " are left");
    }
    std::uint32_t length = 0;
    std::memcpy(&length, data.data() + offset, kBytesLengthSize);
    if (length > left - kBytesLengthSize) {
      return StrCat("element ", i, " at offset ", offset, " declares ", length, " bytes, ",
                    left - kBytesLengthSize, " are left");
    }
    offset += kBytesLengthSize + length;
  }
  if (offset == data.size()) return "";
  return StrCat("has ", data.size() - offset, " bytes after its ", count,
                count == 1 ? " element" : " elements", ", at offset ", offset);
}

}  // namespace penstock
