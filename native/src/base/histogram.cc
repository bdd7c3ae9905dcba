#include "base/histogram.h"

#include <algorithm>
#include <cmath>

namespace penstock {

void Histogram::Merge(const Histogram& other) {
  if (other.count_ == 0) return;
  const std::size_t last = IndexOf(static_cast<std::uint64_t>(other.max_));
  for (std::size_t i = IndexOf(static_cast<std::uint64_t>(other.min_)); i <= last; ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::Clear() {
  if (count_ == 0) return;
  const std::size_t first = IndexOf(static_cast<std::uint64_t>(min_));
  const std::size_t last = IndexOf(static_cast<std::uint64_t>(max_));
  std::fill(counts_.begin() + static_cast<std::ptrdiff_t>(first),
            counts_.begin() + static_cast<std::ptrdiff_t>(last) + 1, 0);
  count_ = sum_ = max_ = 0;
  min_ = kValueMax;
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::int64_t Histogram::Percentile(double share) const {
  if (count_ == 0) return 0;
  const double exact_rank = std::ceil(share * static_cast<double>(count_));
  const std::int64_t rank =
      std::clamp(static_cast<std::int64_t>(exact_rank), std::int64_t{1}, count_);
  // The ends are known exactly.
  if (rank == count_) return max_;
  std::int64_t seen = 0;
  for (std::size_t i = IndexOf(static_cast<std::uint64_t>(min_)); i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::clamp(MiddleOf(i), min_, max_);
  }
  return max_;
}

std::int64_t Histogram::MiddleOf(std::size_t index) {
  if (index < kSubBuckets) return static_cast<std::int64_t>(index);
  // IndexOf's inverse: the shift is one less than the index's upper part says, since the lower
  // part keeps its leading one.
  const std::size_t shift = (index >> kSubBits) - 1;
  const std::size_t leading = (index & (kSubBuckets - 1)) + kSubBuckets;
  const std::int64_t lowest = static_cast<std::int64_t>(leading) << shift;
  const std::int64_t width = std::int64_t{1} << shift;
  return lowest + (width - 1) / 2;
}

}  // namespace penstock
