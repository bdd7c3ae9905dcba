// FP16 and BF16 as numbers. Branch-free enough for a compiler to take several at a time. Pure.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace penstock {

// IEEE 754 binary16, rounded to nearest even; what is too large becomes infinity.
inline std::uint16_t ToHalf(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
  const float magnitude = std::bit_cast<float>(bits & 0x7FFFFFFF);
  if (!(magnitude < 65'520.0F)) {
    return static_cast<std::uint16_t>(sign | (magnitude == magnitude ? 0x7C00 : 0x7E00));
  }
  // The sum's unit in the last place is a half's: adding rounds, in the machine's rounding.
  const int exponent = std::max(static_cast<int>((bits >> 23) & 0xFF), 113);
  const float magic = std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 13) << 23);
  const auto rounded = std::bit_cast<std::uint32_t>(magnitude + magic);
  const std::uint32_t mantissa = rounded - std::bit_cast<std::uint32_t>(magic);
  return static_cast<std::uint16_t>(
      sign | ((static_cast<std::uint32_t>(exponent - 113) << 10) + mantissa));
}

// Exact; infinities and NaN stay what they are.
inline float FromHalf(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7FFF) << 13;
  // The exponent's bias changes by a multiplication, which normalises small halves on the way.
  constexpr float kBias = 0x1p112F;
  const float finite = std::bit_cast<float>(magnitude) * kBias;
  const std::uint32_t bits =
      (half & 0x7C00) == 0x7C00 ? magnitude | 0x7F800000 : std::bit_cast<std::uint32_t>(finite);
  return std::bit_cast<float>(bits | sign);
}

inline float FromBrainFloat(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

}  // namespace penstock
