#include "base/strings.h"

#include <cstddef>

namespace penstock {
namespace {

// What may follow a first byte: how many bytes, and the range of the first of them, which is what
// keeps out overlong forms, surrogates and what lies above U+10FFFF. The others are 80 to BF.
struct Continuation {
  std::size_t count = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
};

// A count of 0 stands for a byte that begins nothing.
Continuation ContinuationOf(unsigned char first) {
  if (first < 0xc2 || first > 0xf4) return {};
  if (first < 0xe0) return {.count = 1};
  if (first == 0xe0) return {.count = 2, .low = 0xa0};
  if (first == 0xed) return {.count = 2, .high = 0x9f};
  if (first < 0xf0) return {.count = 2};
  if (first == 0xf0) return {.count = 3, .low = 0x90};
  if (first == 0xf4) return {.count = 3, .high = 0x8f};
  return {.count = 3};
}

}  // namespace

std::string Printable(std::string_view text) {
  constexpr std::size_t kLengthMax = 64;
  std::string out;
  for (char c : text.substr(0, kLengthMax)) out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  if (text.size() > kLengthMax) out.append("...");
  return out;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    if (first < 0x80) continue;
    Continuation next = ContinuationOf(first);
    if (next.count == 0 || next.count > text.size()) return false;
    for (std::size_t i = 0; i < next.count; ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte < next.low || byte > next.high) return false;
      next.low = 0x80;
      next.high = 0xbf;
    }
    text.remove_prefix(next.count);
  }
  return true;
}

}  // namespace penstock
