// The categories of a column: which of them a value is, by one look at a hash table. Constant after
// construction; any thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"

namespace penstock::preprocess {

inline constexpr std::uint32_t kNoCategory = 0xFFFFFFFF;

// Keys of 64 bits and an index for each. Half of the slots are free at least.
class KeyTable final {
 public:
  explicit KeyTable(std::size_t count)
      : bits_(static_cast<unsigned>(std::bit_width(count * 2 + 1))),
        slots_(std::size_t{1} << bits_) {}

  void Insert(std::uint64_t key, std::uint32_t index) {
    CHECK_LT(++used_, slots_.size());
    std::size_t at = Start(key);
    while (slots_[at].index != kNoCategory) at = (at + 1) & (slots_.size() - 1);
    slots_[at] = {.key = key, .index = index};
  }
  // The first index of this key that `same` is true for.
  template <typename Same>
  std::uint32_t Find(std::uint64_t key, const Same& same) const {
    for (std::size_t at = Start(key);; at = (at + 1) & (slots_.size() - 1)) {
      const Slot& slot = slots_[at];
      if (slot.index == kNoCategory) return kNoCategory;
      if (slot.key == key && same(slot.index)) return slot.index;
    }
  }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t index = kNoCategory;  // free
  };

  std::size_t Start(std::uint64_t key) const {
    return static_cast<std::size_t>((key ^ key >> 32) * 0x9E3779B97F4A7C15ULL >> (64 - bits_));
  }

  unsigned bits_;
  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

// Equal as numbers are, but that NaN is one category.
class NumberCategories final {
 public:
  explicit NumberCategories(std::span<const double> categories) : table_(categories.size()) {
    for (const double category : categories) table_.Insert(KeyOf(category), count_++);
  }
  std::uint32_t Find(double value) const {
    return table_.Find(KeyOf(value), [](std::uint32_t) { return true; });
  }

 private:
  static std::uint64_t KeyOf(double value) {
    constexpr std::uint64_t kNan = 0x7FF8000000000000ULL;
    if (std::isnan(value)) return kNan;
    return std::bit_cast<std::uint64_t>(value + 0.0);  // -0 becomes 0
  }

  KeyTable table_;
  std::uint32_t count_ = 0;
};

class IntegerCategories final {
 public:
  explicit IntegerCategories(std::span<const std::int64_t> categories) : table_(categories.size()) {
    for (const std::int64_t category : categories) table_.Insert(KeyOf(category), count_++);
  }
  std::uint32_t Find(std::int64_t value) const {
    return table_.Find(KeyOf(value), [](std::uint32_t) { return true; });
  }

 private:
  static std::uint64_t KeyOf(std::int64_t value) { return static_cast<std::uint64_t>(value); }

  KeyTable table_;
  std::uint32_t count_ = 0;
};

class TextCategories final {
 public:
  explicit TextCategories(std::vector<std::string> categories)
      : categories_(std::move(categories)), table_(categories_.size()) {
    for (const std::string& category : categories_) {
      table_.Insert(HashOf(category), count_++);
      length_max_ = std::max(length_max_, category.size());
    }
  }
  std::uint32_t Find(std::string_view text) const {
    if (text.size() > length_max_) return kNoCategory;  // however long it is, it costs nothing
    return table_.Find(HashOf(text),
                       [this, text](std::uint32_t index) { return categories_[index] == text; });
  }

 private:
  static std::uint64_t Load(const char* at, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, size);
    return word;
  }
  // Eight bytes at a time; the last ones overlap those before.
  static std::uint64_t HashOf(std::string_view text) {
    const char* at = text.data();
    std::size_t left = text.size();
    std::uint64_t hash = left * 0xD6E8FEB86659FD93ULL;
    for (; left > 8; left -= 8, at += 8) hash = Mixed(hash ^ Load(at, 8));
    if (left >= 4) return Mixed(hash ^ (Load(at, 4) | Load(at + left - 4, 4) << 32));
    if (left == 0) return hash;
    return Mixed(hash ^ (Load(at, 1) | Load(at + left / 2, 1) << 8 | Load(at + left - 1, 1) << 16));
  }
  static std::uint64_t Mixed(std::uint64_t word) {
    word *= 0x9E3779B97F4A7C15ULL;
    return word ^ word >> 29;
  }

  std::vector<std::string> categories_;
  KeyTable table_;
  std::uint32_t count_ = 0;
  std::size_t length_max_ = 0;
};

}  // namespace penstock::preprocess
