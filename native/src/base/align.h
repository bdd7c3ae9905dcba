// Where memory is laid out by hand.
#pragma once

#include <cstddef>

namespace penstock {

// The first multiple of `alignment` that is not below `size`.
constexpr std::size_t AlignedUp(std::size_t size, std::size_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

}  // namespace penstock
