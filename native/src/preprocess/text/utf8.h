// One code point of UTF-8 at a time, checked as the standard says: no overlong forms, no
// surrogates, nothing beyond U+10FFFF. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::preprocess {

struct DecodedCodePoint {
  char32_t code_point = 0;
  std::size_t length = 0;  // 0: what stands there is not UTF-8
};

inline bool IsContinuation(std::uint8_t byte) {
  return (byte & 0xC0U) == 0x80U;
}

// `at` is before `end`.
inline DecodedCodePoint DecodeUtf8(const std::uint8_t* at, const std::uint8_t* end) {
  const std::uint8_t lead = at[0];
  const std::ptrdiff_t left = end - at;
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xE0) {
    if (lead < 0xC2 || left < 2 || !IsContinuation(at[1])) return {};
    return {(lead & 0x1FU) << 6 | (at[1] & 0x3FU), 2};
  }
  if (lead < 0xF0) {
    if (left < 3 || !IsContinuation(at[1]) || !IsContinuation(at[2])) return {};
    const char32_t code_point = (lead & 0x0FU) << 12 | (at[1] & 0x3FU) << 6 | (at[2] & 0x3FU);
    if (code_point < 0x800 || (code_point >= 0xD800 && code_point < 0xE000)) return {};
    return {code_point, 3};
  }
  if (lead > 0xF4 || left < 4 || !IsContinuation(at[1]) || !IsContinuation(at[2]) ||
      !IsContinuation(at[3])) {
    return {};
  }
  const char32_t code_point =
      (lead & 0x07U) << 18 | (at[1] & 0x3FU) << 12 | (at[2] & 0x3FU) << 6 | (at[3] & 0x3FU);
  if (code_point < 0x10000 || code_point > 0x10FFFF) return {};
  return {code_point, 4};
}

// Writes up to 4 bytes at `to` and returns how many.
inline std::size_t EncodeUtf8(char32_t code_point, std::uint8_t* to) {
  const auto tail = [&](int shift) {
    return static_cast<std::uint8_t>(0x80U | ((code_point >> shift) & 0x3FU));
  };
  if (code_point < 0x80) {
    to[0] = static_cast<std::uint8_t>(code_point);
    return 1;
  }
  if (code_point < 0x800) {
    to[0] = static_cast<std::uint8_t>(0xC0U | code_point >> 6);
    to[1] = tail(0);
    return 2;
  }
  if (code_point < 0x10000) {
    to[0] = static_cast<std::uint8_t>(0xE0U | code_point >> 12);
    to[1] = tail(6);
    to[2] = tail(0);
    return 3;
  }
  to[0] = static_cast<std::uint8_t>(0xF0U | code_point >> 18);
  to[1] = tail(12);
  to[2] = tail(6);
  to[3] = tail(0);
  return 4;
}

}  // namespace penstock::preprocess
