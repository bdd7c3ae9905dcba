// A 32-bit value for each code point, in pages of which equal ones are stored once. Constant after
// construction; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "preprocess/text/unicode.h"

namespace penstock::preprocess {

class CodePointTable final {
 public:
  CodePointTable() = default;
  // `values` holds one for each code point below kCodePointEnd.
  explicit CodePointTable(std::span<const std::uint32_t> values);

  // `code_point` is below kCodePointEnd.
  std::uint32_t operator[](char32_t code_point) const {
    return values_[pages_[code_point >> kPageBits] << kPageBits | (code_point & (kPageSize - 1))];
  }

 private:
  static constexpr std::uint32_t kPageBits = 7;
  static constexpr std::uint32_t kPageSize = 1U << kPageBits;

  std::vector<std::uint32_t> pages_;
  std::vector<std::uint32_t> values_;
};

}  // namespace penstock::preprocess
