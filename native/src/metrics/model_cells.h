// What one loop has seen of one model version: it alone writes, anyone reads and sums over loops. A
// reader may see a call in one cell and not yet in another. Calls without a network share one.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <mutex>

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

  // The same value `times` times.
  void Record(std::int64_t value, std::int64_t times = 1) {
    const auto above = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1) - 1);
    const auto index = static_cast<std::size_t>(std::bit_width(above >> kFirstBits));
    counts_[std::min(index, kBuckets - 1)].Add(times);
    sum_.Add(std::max<std::int64_t>(value, 0) * times);
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

// What the time of an answered call went to, in life order. Each begins where the one before ends.
enum class Stage : std::uint8_t {
  kDecode,   // from the turn that brought its message until the turn's requests are checked
  kQueue,    // until its batch is taken
  kPrepare,  // until preprocessing has made of the batch what the model takes; only where there is
             // some
  kRun,      // gathering of rows, the engine's run and what stands behind the model
  kRespond,  // until the answers of the turn are encoded; after a compute thread's run, the way
             // back
};
inline constexpr std::size_t kStages = 5;

// Where the stages of an answered call begin. Calls that shared a turn and a run share them all.
struct CallTimes {
  TimeNs arrived_at = 0;
  TimeNs queued_at = 0;
  TimeNs started_at = 0;
  TimeNs prepared_at = 0;  // started_at where nothing had to be prepared
  TimeNs ended_at = 0;

  friend bool operator==(const CallTimes&, const CallTimes&) = default;
};

// Of one model version, summed over loops.
struct ModelCounts {
  std::array<std::int64_t, kStatusCodeCount> calls{};  // by the status they ended with
  std::int64_t rows = 0;                               // of the calls that were answered
  TimeNs failed_time = 0;                              // of the others, from arrival to end
  std::array<DurationCells::Sums, kStages> stages;     // of each answered call
  DurationCells::Sums total;                           // and all of them together
  DurationCells::Sums run;                             // of each run that answered anyone
  RowCells::Sums batch_rows;                           // and how many rows it took
  TimeNs last_answer_at = 0;                           // 0: none yet
  std::int64_t left_loop = 0;  // how often a loop gave its runs to the pool for being slow
  // Calls whose deadline had passed, or whose cancel had been processed, when their batch was
  // taken, and that were run all the same. Never.
  std::int64_t run_expired = 0;
  std::int64_t run_cancelled = 0;

  std::int64_t ok() const { return calls[0]; }
  std::int64_t failed() const {
    std::int64_t total_failed = 0;
    for (std::size_t i = 1; i < calls.size(); ++i) total_failed += calls[i];
    return total_failed;
  }
  std::int64_t runs() const { return run.count(); }
  const DurationCells::Sums& stage(Stage which) const {
    return stages[static_cast<std::size_t>(which)];
  }
};

// Lines of their own: loops do not slow each other down.
class alignas(64) ModelCells final {
 public:
  // `calls` answers of `rows` rows in all.
  void AddAnswers(std::int64_t calls, std::int64_t rows) {
    calls_[0].Add(calls);
    rows_.Add(rows);
  }
  // What `calls` answers took that were ready at `answered_at`.
  void AddTimes(const CallTimes& times, TimeNs answered_at, std::int64_t calls) {
    RecordStage(Stage::kDecode, times.queued_at - times.arrived_at, calls);
    RecordStage(Stage::kQueue, times.started_at - times.queued_at, calls);
    if (times.prepared_at != times.started_at) {
      RecordStage(Stage::kPrepare, times.prepared_at - times.started_at, calls);
    }
    RecordStage(Stage::kRun, times.ended_at - times.prepared_at, calls);
    RecordStage(Stage::kRespond, answered_at - times.ended_at, calls);
    total_.Record(answered_at - times.arrived_at, calls);
    last_answer_at_.Set(answered_at);
  }
  void AddFailure(StatusCode code, TimeNs duration) {
    calls_[static_cast<std::size_t>(code)].Add(1);
    failed_time_.Add(duration);
  }
  // Once for each run, by the loop of its first call.
  void AddRun(TimeNs duration, std::int64_t rows) {
    AddRunTime(duration, 1);
    AddRunRows(rows);
  }
  void AddRunTime(TimeNs duration, std::int64_t runs) { run_.Record(duration, runs); }
  void AddRunRows(std::int64_t rows) { batch_rows_.Record(rows); }
  void AddLeftLoop() { left_loop_.Add(1); }
  void AddRunExpired() { run_expired_.Add(1); }
  void AddRunCancelled() { run_cancelled_.Add(1); }

  void AddTo(ModelCounts& counts) const {
    for (std::size_t i = 0; i < calls_.size(); ++i) counts.calls[i] += calls_[i].Get();
    counts.rows += rows_.Get();
    counts.failed_time += failed_time_.Get();
    for (std::size_t i = 0; i < kStages; ++i) stages_[i].AddTo(counts.stages[i]);
    total_.AddTo(counts.total);
    run_.AddTo(counts.run);
    batch_rows_.AddTo(counts.batch_rows);
    counts.left_loop += left_loop_.Get();
    counts.run_expired += run_expired_.Get();
    counts.run_cancelled += run_cancelled_.Get();
    counts.last_answer_at = std::max(counts.last_answer_at, last_answer_at_.Get());
  }

 private:
  void RecordStage(Stage stage, TimeNs duration, std::int64_t calls) {
    stages_[static_cast<std::size_t>(stage)].Record(duration, calls);
  }

  std::array<Cell, kStatusCodeCount> calls_;
  Cell rows_;
  Cell failed_time_;
  Cell last_answer_at_;
  Cell left_loop_;
  Cell run_expired_;
  Cell run_cancelled_;
  std::array<DurationCells, kStages> stages_;
  DurationCells total_;
  DurationCells run_;
  RowCells batch_rows_;
};

// For those who call from threads of their own: whoever has the lock writes.
class SharedModelCells final {
 public:
  // `write` is given the cells; it takes nanoseconds.
  template <typename Write>
  void Use(Write write) {
    const std::lock_guard<std::mutex> lock(mu_);
    write(cells_);
  }
  void AddTo(ModelCounts& counts) const { cells_.AddTo(counts); }

 private:
  std::mutex mu_;
  ModelCells cells_;  // written under mu_
};

}  // namespace penstock::metrics
