// Values in log-linear buckets: 128 to each power of two, so that a value is known within 0.4 %
// from nanoseconds to hours, in 40 KB whatever the count. Recording is a few instructions. One
// thread; copies and merges are how others get at it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock {

class Histogram final {
 public:
  // Larger values count as this one: 2^44 ns are almost five hours.
  static constexpr std::int64_t kValueMax = (std::int64_t{1} << 44) - 1;

  Histogram() : counts_(kBuckets) {}

  // Negative values count as 0.
  void Record(std::int64_t value) {
    if (value < 0) value = 0;
    if (value > kValueMax) value = kValueMax;
    ++counts_[IndexOf(static_cast<std::uint64_t>(value))];
    ++count_;
    sum_ += value;
    if (value < min_) min_ = value;
    if (value > max_) max_ = value;
  }
  void Merge(const Histogram& other);
  void Clear();

  std::int64_t count() const { return count_; }
  std::int64_t sum() const { return sum_; }
  // Exact. 0 where nothing was recorded.
  std::int64_t min() const { return count_ == 0 ? 0 : min_; }
  std::int64_t max() const { return max_; }
  double mean() const;

  // The nearest rank: the middle of the bucket that holds the smallest value that at least `share`
  // (0 to 1) of all values do not exceed; never outside min and max. 0 where nothing was recorded.
  std::int64_t Percentile(double share) const;

  // Calls function(middle of the bucket, count) for every bucket that is not empty, rising.
  template <typename Function>
  void ForEachBucket(const Function& function) const {
    if (count_ == 0) return;
    const std::size_t last = IndexOf(static_cast<std::uint64_t>(max_));
    for (std::size_t i = IndexOf(static_cast<std::uint64_t>(min_)); i <= last; ++i) {
      if (counts_[i] != 0) function(MiddleOf(i), counts_[i]);
    }
  }

 private:
  static constexpr int kSubBits = 7;
  static constexpr std::size_t kSubBuckets = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBuckets = (44 - kSubBits + 1) * kSubBuckets;

  // Values below 128 have a bucket each; above, the leading 8 bits name it.
  static std::size_t IndexOf(std::uint64_t value) {
    if (value < kSubBuckets) return static_cast<std::size_t>(value);
    const int shift = static_cast<int>(std::bit_width(value)) - 1 - kSubBits;
    return (static_cast<std::size_t>(shift) << kSubBits) + static_cast<std::size_t>(value >> shift);
  }
  static std::int64_t MiddleOf(std::size_t index);

  std::vector<std::int64_t> counts_;
  std::int64_t count_ = 0;
  std::int64_t sum_ = 0;
  std::int64_t min_ = kValueMax;
  std::int64_t max_ = 0;
};

}  // namespace penstock
