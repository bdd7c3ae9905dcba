// Takes a fuzzer's bytes apart, from the front. Past their end everything is zero or empty, so that
// every input means something and a small change of it a small change of what happens.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

class FuzzInput final {
 public:
  FuzzInput(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  bool empty() const { return rest_.empty(); }
  std::uint8_t Byte() {
    const std::string_view byte = Bytes(1);
    return byte.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(byte.front());
  }
  std::uint16_t Word() {
    const auto high = static_cast<unsigned>(Byte());
    return static_cast<std::uint16_t>(high << 8 | Byte());
  }
  // As many of `n` bytes as are left.
  std::string_view Bytes(std::size_t n) {
    const std::string_view bytes = rest_.substr(0, std::min(n, rest_.size()));
    rest_.remove_prefix(bytes.size());
    return bytes;
  }

 private:
  std::string_view rest_;
};

}  // namespace penstock
