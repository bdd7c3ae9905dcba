#include "preprocess/text/double_array.h"

#include <algorithm>

#include "base/check.h"

namespace penstock::preprocess {

struct DoubleArray::Builder {
  DoubleArray& array;
  std::vector<TrieEntry> entries;  // sorted, without doubles
  std::vector<bool> base_taken = {};
  // Free units below this are few, and no longer looked at.
  std::uint32_t search_from = 1;

  bool Used(std::uint32_t unit) const { return (array.units_[unit] & kUsed) != 0; }

  void Grow() {
    array.units_.resize(array.units_.size() + kBlock);
    array.values_.resize(array.units_.size());
    base_taken.resize(array.units_.size());
    CHECK_LE(array.units_.size(), 1U << (32 - kBaseShift));
  }

  // A base at which every label's place is free.
  std::uint32_t FindBase(std::span<const std::uint8_t> labels) {
    constexpr int kTries = 256;
    int tries = 0;
    for (std::uint32_t unit = search_from;; ++unit) {
      if (unit >= array.units_.size()) Grow();
      if (Used(unit)) {
        if (unit == search_from) ++search_from;
        continue;
      }
      const std::uint32_t base = unit ^ labels.front();
      if (base != 0 && !base_taken[base] && std::ranges::none_of(labels, [&](std::uint8_t label) {
            return Used(base ^ label) || (base ^ label) == 0;
          })) {
        return base;
      }
      // Too crowded: what is left free here stays free.
      if (++tries > kTries) search_from = std::max(search_from, unit - kTries / 2);
    }
  }

  // The children of `unit`: of entries[first, last), which share `depth` bytes.
  void Insert(std::uint32_t unit, std::size_t first, std::size_t last, std::size_t depth) {
    if (entries[first].key.size() == depth) {
      array.units_[unit] |= kAccepts;
      array.values_[unit] = entries[first].value;
      ++first;
    }
    if (first == last) return;
    const auto label_of = [&](std::size_t entry) {
      return static_cast<std::uint8_t>(entries[entry].key[depth]);
    };
    std::vector<std::uint8_t> labels;
    for (std::size_t entry = first; entry < last; ++entry) {
      if (labels.empty() || labels.back() != label_of(entry)) labels.push_back(label_of(entry));
    }
    const std::uint32_t base = FindBase(labels);
    base_taken[base] = true;
    array.units_[unit] |= base << kBaseShift;
    for (const std::uint8_t label : labels) array.units_[base ^ label] = kUsed | label;
    for (std::size_t begin = first; begin < last;) {
      std::size_t end = begin;
      while (end < last && label_of(end) == label_of(begin)) ++end;
      Insert(base ^ label_of(begin), begin, end, depth + 1);
      begin = end;
    }
  }
};

DoubleArray::DoubleArray(std::vector<TrieEntry> entries) {
  std::ranges::stable_sort(entries, {}, &TrieEntry::key);
  const auto doubles = std::ranges::unique(entries, {}, &TrieEntry::key);
  entries.erase(doubles.begin(), doubles.end());
  Builder builder{.array = *this, .entries = std::move(entries)};
  builder.Grow();
  if (!builder.entries.empty()) builder.Insert(0, 0, builder.entries.size(), 0);
}

}  // namespace penstock::preprocess
