// A set of byte strings with a number each, as a double array: one load and one comparison for each
// byte. Finds the longest of them that a text begins with. Constant after construction; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace penstock::preprocess {

struct TrieEntry {
  std::string_view key;  // not empty
  std::uint32_t value = 0;
};

struct TrieMatch {
  std::size_t length = 0;  // 0: none
  std::uint32_t value = 0;
};

class DoubleArray final {
 public:
  DoubleArray() : DoubleArray(std::vector<TrieEntry>()) {}
  // Of equal keys the first counts.
  explicit DoubleArray(std::vector<TrieEntry> entries);

  TrieMatch Longest(const std::uint8_t* at, const std::uint8_t* end) const {
    const std::uint8_t* const begin = at;
    std::uint32_t accepted = 0;
    const std::uint8_t* accepted_end = at;
    std::uint32_t unit = units_[0];
    for (; at != end; ++at) {
      const std::uint32_t next = (unit >> kBaseShift) ^ *at;
      unit = units_[next];
      if ((unit & kLabelMask) != (kUsed | *at)) break;
      if ((unit & kAccepts) != 0) {
        accepted = next;
        accepted_end = at + 1;
      }
    }
    if (accepted == 0) return {};
    return {.length = static_cast<std::size_t>(accepted_end - begin), .value = values_[accepted]};
  }

 private:
  // A unit: the label that leads to it (8 bits), whether it is used, whether a key ends here, and
  // where its children are: each at base ^ label. No two have the same base.
  static constexpr std::uint32_t kUsed = 1U << 8;
  static constexpr std::uint32_t kAccepts = 1U << 9;
  static constexpr std::uint32_t kLabelMask = 0x1FF;
  static constexpr int kBaseShift = 10;
  static constexpr std::uint32_t kBlock = 256;

  struct Builder;

  std::vector<std::uint32_t> units_;
  std::vector<std::uint32_t> values_;
};

}  // namespace penstock::preprocess
