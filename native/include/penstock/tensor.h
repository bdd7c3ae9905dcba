// A tensor as it crosses the public interface.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace penstock {

// Borrowed: whoever fills one says how long it lives.
struct EngineTensor {
  std::string_view name;
  std::string_view datatype;  // the protocol's name, such as "FP32"
  std::span<const std::int64_t> shape;
  // Row-major, little-endian. BYTES: each element as its length, 4 bytes little-endian, and bytes.
  std::span<const std::byte> data;
};

}  // namespace penstock
