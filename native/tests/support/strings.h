// String tensors for tests: from strings to the wire form of tensor/bytes.h and back. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tensor/bytes.h"

namespace penstock {

inline std::vector<std::byte> BytesOf(const std::vector<std::string>& values) {
  std::vector<std::byte> bytes;
  for (const std::string& value : values) {
    const std::size_t at = bytes.size();
    bytes.resize(at + kBytesLengthSize + value.size());
    PutBytesElement(bytes.data() + at, std::as_bytes(std::span(value)));
  }
  return bytes;
}

inline std::vector<std::string> StringsOf(std::span<const std::byte> data) {
  std::vector<std::string> values;
  for (BytesReader reader(data); !reader.done();) {
    const std::span<const std::byte> element = reader.Next();
    values.emplace_back(reinterpret_cast<const char*>(element.data()), element.size());
  }
  return values;
}

}  // namespace penstock
