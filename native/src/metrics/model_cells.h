// What one loop has seen of one model version: it alone writes, anyone reads and sums over loops. A
// reader may see a call in one cell and not yet in another.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/status.h"
#include "metrics/cell.h"

namespace penstock::metrics {

// Counts in buckets that double: bucket i holds what is up to first << i and above the one before,
// the last all that is larger.
template <std::size_t kBuckets>
struct Buckets {
  std::array<std::int64_t, kBuckets> counts{};
  std::int64_t sum = 0;  // of the values

  std::int64_t count() const {
    std::int64_t total = 0;
    for (const std::int64_t in_bucket : counts) total += in_bucket;
    return total;
  }
};

// The cells behind Buckets. Values below 0 count as 0.
template <std::size_t kBuckets, int kFirstBits>
class BucketCells final {
 public:
  using Sums = Buckets<kBuckets>;
  static constexpr std::int64_t kFirst = std::int64_t{1} << kFirstBits;

  void Record(std::int64_t value) {
    const auto above = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1) - 1);
    const auto index = static_cast<std::size_t>(std::bit_width(above >> kFirstBits));
    counts_[std::min(index, kBuckets - 1)].Add(1);
    sum_.Add(std::max<std::int64_t>(value, 0));
  }
  void AddTo(Sums& sums) const {
    for (std::size_t i = 0; i < kBuckets; ++i) sums.counts[i] += counts_[i].Get();
    sums.sum += sum_.Get();
  }

 private:
  std::array<Cell, kBuckets> counts_;
  Cell sum_;
};

// From 1,024 ns to 17 s.
using DurationCells = BucketCells<26, 10>;
// From 1 row to 65,536.
using RowCells = BucketCells<18, 0>;

// Of one model version, summed over loops.
struct ModelCounts {
  std::array<std::int64_t, kStatusCodeCount> calls{};  // by the status they ended with
  std::int64_t rows = 0;                               // of the calls that were answered
  TimeNs failed_time = 0;                              // of the others, from arrival to end
  DurationCells::Sums queue;   // of each answered call: from its arrival to the start of its run
  DurationCells::Sums total;   // and to the end of its run
  DurationCells::Sums run;     // of each run that answered anyone
  RowCells::Sums batch_rows;   // and how many rows it took
  TimeNs last_answer_at = 0;   // 0: none yet
  std::int64_t left_loop = 0;  // how often a loop gave its runs to the pool for being slow

  std::int64_t ok() const { return calls[0]; }
  std::int64_t failed() const {
    std::int64_t total_failed = 0;
    for (std::size_t i = 1; i < calls.size(); ++i) total_failed += calls[i];
    return total_failed;
  }
  std::int64_t runs() const { return run.count(); }
};

// Lines of their own: loops do not slow each other down.
class alignas(64) ModelCells final {
 public:
  struct Answer {
    TimeNs arrived_at = 0;
    TimeNs started_at = 0;
    TimeNs ended_at = 0;
    std::int64_t rows = 0;
  };
  void AddAnswer(const Answer& answer) {
    calls_[0].Add(1);
    rows_.Add(answer.rows);
    queue_.Record(answer.started_at - answer.arrived_at);
    total_.Record(answer.ended_at - answer.arrived_at);
    last_answer_at_.Set(answer.ended_at);
  }
  void AddFailure(StatusCode code, TimeNs duration) {
    calls_[static_cast<std::size_t>(code)].Add(1);
    failed_time_.Add(duration);
  }
  // Once for each run, by the loop of its first call.
  void AddRun(TimeNs duration, std::int64_t rows) {
    run_.Record(duration);
    batch_rows_.Record(rows);
  }
  void AddLeftLoop() { left_loop_.Add(1); }

  void AddTo(ModelCounts& counts) const {
    for (std::size_t i = 0; i < calls_.size(); ++i) counts.calls[i] += calls_[i].Get();
    counts.rows += rows_.Get();
    counts.failed_time += failed_time_.Get();
    queue_.AddTo(counts.queue);
    total_.AddTo(counts.total);
    run_.AddTo(counts.run);
    batch_rows_.AddTo(counts.batch_rows);
    counts.left_loop += left_loop_.Get();
    counts.last_answer_at = std::max(counts.last_answer_at, last_answer_at_.Get());
  }

 private:
  std::array<Cell, kStatusCodeCount> calls_;
  Cell rows_;
  Cell failed_time_;
  Cell last_answer_at_;
  Cell left_loop_;
  DurationCells queue_;
  DurationCells total_;
  DurationCells run_;
  RowCells batch_rows_;
};

}  // namespace penstock::metrics
