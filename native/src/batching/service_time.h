// How long a run of so many rows takes: measured at warm-up, kept current by every run after it.
// Written by whoever ran a batch and read by whoever plans one, any thread: each number is an
// atomic of its own and relaxed, since a prediction may be a run behind but orders nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace penstock {

// Rows in a run and how long such a run took.
using BatchDuration = std::pair<std::int64_t, TimeNs>;

class ServiceTime final {
 public:
  ServiceTime() = default;
  // What warm-up measured, in any order.
  explicit ServiceTime(std::span<const BatchDuration> durations);
  ServiceTime(const ServiceTime&) = delete;
  ServiceTime& operator=(const ServiceTime&) = delete;

  // A run has ended. A single very long one is held to four times what was expected: it was
  // preempted, more likely than not; if all are, the mean follows within a few runs.
  void Observe(std::int64_t rows, TimeNs duration);

  // The mean, between what was measured by interpolation and above it in proportion to the rows;
  // 0 where nothing was measured. Never falls as rows grow.
  TimeNs Predict(std::int64_t rows) const;
  // What nine of ten such runs stay within.
  TimeNs PredictHigh(std::int64_t rows) const;
  // The mean of runs such as the last one, of whatever size.
  TimeNs LastMean() const { return cells_[LastIndex()].Get(kMean); }
  // What a run of one row takes by now, judged by runs such as the last one: in the proportion that
  // warm-up measured. While all runs are large, nothing else tells it.
  TimeNs EstimateOne() const;
  // The most rows, up to rows_max, whose run is predicted to stay within `budget`; 0 if not one.
  std::int64_t RowsWithin(std::int64_t rows_max, TimeNs budget) const;
  std::int64_t RowsWithinHigh(std::int64_t rows_max, TimeNs budget) const;
  // The fewest rows whose runs answer `share` of the rows a second that runs of rows_max do.
  std::int64_t RowsForShare(std::int64_t rows_max, double share) const;

  // l(b) = t0 + a * b, fitted through what is known now.
  struct Line {
    double t0_ns = 0;
    double ns_per_row = 0;
  };
  Line Fit() const;

  // What is known of runs of a similar size.
  struct Bucket {
    std::int64_t rows_max = 0;  // those above the bucket before and up to this
    std::int64_t runs = 0;      // observed, without warm-up
    double rows_mean = 0;
    TimeNs mean_ns = 0;
    TimeNs p50_ns = 0;
    TimeNs p90_ns = 0;
    TimeNs p99_ns = 0;
  };
  // Those that know anything, ascending.
  std::vector<Bucket> Buckets() const;

 private:
  // Bucket i holds the rows whose bit_width(rows - 1) is i: 1, 2, 3 to 4, 5 to 8, ...
  // The last also holds all above 8 million, of a ragged model's elements: such a run takes
  // seconds.
  static constexpr std::size_t kBuckets = 24;
  enum Column : std::uint8_t { kRows, kMean, kP50, kP90, kP99, kRuns, kColumns };
  static constexpr std::array<std::pair<Column, std::int64_t>, 3> kQuantiles = {
      {{kP50, 50}, {kP90, 90}, {kP99, 99}}};
  struct Cells {
    // kRows in 1/256 rows, the others in ns; kMean is 0 where nothing is known.
    std::array<std::atomic<std::int64_t>, kColumns> of{};
    std::int64_t Get(Column column) const { return of[column].load(std::memory_order_relaxed); }
    void Set(Column column, std::int64_t value) {
      of[column].store(value, std::memory_order_relaxed);
    }
  };

  static std::size_t IndexOf(std::int64_t rows);
  TimeNs Interpolate(Column column, std::int64_t rows) const;
  std::int64_t RowsWithin(Column column, std::int64_t rows_max, TimeNs budget) const;

  std::size_t LastIndex() const { return last_index_.load(std::memory_order_relaxed); }

  std::array<Cells, kBuckets> cells_;
  std::atomic<std::size_t> last_index_{0};
  std::vector<BatchDuration> warm_;  // ascending; constant
};

}  // namespace penstock
