// The largest of a row of numbers, in order. Pure; any thread.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>

namespace penstock {

// Whether the value at `a` stands before that at `b`: the larger first, the lower index among equal
// ones, NaN behind every number.
template <typename T>
bool RanksBefore(std::span<const T> values, std::int64_t a, std::int64_t b) {
  const T left = values[static_cast<std::size_t>(a)];
  const T right = values[static_cast<std::size_t>(b)];
  if (left > right) return true;
  if (left < right) return false;
  const bool left_nan = std::isnan(left);
  const bool right_nan = std::isnan(right);
  return left_nan == right_nan ? a < b : right_nan;
}

// Fills `best`, which is no longer than `values`, with the indices of the largest in that order.
template <typename T>
void RankLargest(std::span<const T> values, std::span<std::int64_t> best) {
  if (best.empty()) return;
  const auto before = [values](std::int64_t a, std::int64_t b) {
    return RanksBefore(values, a, b);
  };
  // A heap with the last of the best on top: a row that is mostly worse costs a comparison each.
  std::iota(best.begin(), best.end(), 0);
  std::ranges::make_heap(best, before);
  const auto count = static_cast<std::int64_t>(values.size());
  for (auto i = static_cast<std::int64_t>(best.size()); i < count; ++i) {
    if (!before(i, best.front())) continue;
    std::ranges::pop_heap(best, before);
    best.back() = i;
    std::ranges::push_heap(best, before);
  }
  std::ranges::sort_heap(best, before);
}

}  // namespace penstock
