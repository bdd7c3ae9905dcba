// BYTES tensors. Everywhere in the server the data of a BYTES TensorView is its wire form: for each
// element a 4-byte little-endian length, then that many bytes, any bytes. Whoever makes such a view
// has checked it with FindBytesFault; the rest walks it without looking back. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "base/check.h"

namespace penstock {

inline constexpr std::size_t kBytesLengthSize = 4;

// Empty where `data` holds exactly `count` elements; else what is wrong, at which element and
// offset. Looks at each element once, and at no more of them than `data` has room for.
std::string FindBytesFault(std::span<const std::byte> data, std::int64_t count);

// Writes one element at `to`, which has room for it; returns what is behind it.
inline std::byte* PutBytesElement(std::byte* to, std::span<const std::byte> element) {
  const auto length = static_cast<std::uint32_t>(element.size());
  std::memcpy(to, &length, kBytesLengthSize);
  if (!element.empty()) std::memcpy(to + kBytesLengthSize, element.data(), element.size());
  return to + kBytesLengthSize + element.size();
}

// The elements of checked data, one after another.
class BytesReader final {
 public:
  explicit BytesReader(std::span<const std::byte> data) : data_(data) {}

  bool done() const { return offset_ == data_.size(); }
  // Where the next element's length stands.
  std::size_t offset() const { return offset_; }
  std::span<const std::byte> Next() {
    std::uint32_t length = 0;
    CHECK_LE(kBytesLengthSize, data_.size() - offset_);
    std::memcpy(&length, data_.data() + offset_, kBytesLengthSize);
    offset_ += kBytesLengthSize;
    CHECK_LE(length, data_.size() - offset_);
    offset_ += length;
    return data_.subspan(offset_ - length, length);
  }

 private:
  const std::span<const std::byte> data_;
  std::size_t offset_ = 0;
};

}  // namespace penstock
