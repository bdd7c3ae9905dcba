// What waits for one model version, and what of it runs next. Its settings are constant, its
// service time is anyone's, the rest is guarded by the Scheduler's mutex.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "batching/admission.h"
#include "batching/arrival_rate.h"
#include "batching/batch_policy.h"
#include "batching/priority_class.h"
#include "batching/service_time.h"
#include "metrics/cell.h"
#include "pipeline/pipeline.h"

namespace penstock {

// Why a batch held no more than it did.
enum class CloseReason : std::uint8_t {
  kFull,      // max_batch_size, or less where other models wait
  kIdle,      // nothing else waited
  kDeadline,  // a member would have been late
  kDelay,     // max_queue_delay_us had passed
  kShape,     // what else waited has another shape
};
inline constexpr std::size_t kCloseReasons = 5;

// What a queue has done since it was made.
struct QueueCounts {
  std::array<std::int64_t, kCloseReasons> batches{};  // by CloseReason
  std::int64_t refused_full = 0;                      // max_queue_size
  std::int64_t refused_deadline = 0;  // could not have been in time, seen at arrival
  std::int64_t refused_late = 0;      // and seen later
  std::int64_t refused_delay = 0;     // no deadline, but the queue does not drain, or not soon
  std::int64_t expired = 0;           // the deadline passed in the queue
};

class BatchQueue final {
 public:
  struct Options {
    std::string model;  // its name, for messages
    std::int64_t version = 0;
    BatchLimits limits;
    std::int64_t instance_count = 1;  // batches that may run at once
    std::int64_t size_max = 10'000;   // entries that may wait
    TimeNs delay_max = 0;             // that a batch may wait for more; 0: not at all
    TimeNs delay_target = 0;          // see queue_delay.h
    TimeNs wait_max = kNever;         // of entries without a deadline, see WaitLimit
    TimeNs run_timeout = 0;           // see run_watch.h
    std::vector<BatchDuration> durations;
    const Pipeline* pipeline = nullptr;  // before and behind the session, where there is one
  };
  BatchQueue(Session& session, Options options);
  ~BatchQueue() { DCHECK(arrivals_.empty()); }

  Session& session() const { return session_; }
  const Pipeline* pipeline() const { return options_.pipeline; }
  const BatchLimits& limits() const { return options_.limits; }
  const Ragged* ragged() const { return options_.limits.ragged; }
  std::int64_t instance_count() const { return options_.instance_count; }
  TimeNs delay_max() const { return options_.delay_max; }
  ServiceTime& service_time() const { return service_time_; }
  const std::string& model() const { return options_.model; }
  std::int64_t version() const { return options_.version; }
  TimeNs run_timeout() const { return options_.run_timeout; }

  // Event loops that run this model themselves; they alone teach its service time then. What is
  // left to a compute thread waits for a core that the loops keep busy: it would tell of the core,
  // and a model that seems slow for that would leave its loops for the pool that cannot run it.
  void NoteLoop(int change) { loops_.fetch_add(change, std::memory_order_relaxed); }
  bool runs_on_loops() const { return loops_.load(std::memory_order_relaxed) > 0; }

  // Every run, under way or yet to come, is told to end. Any thread.
  void EndRuns() { ending_.store(true); }
  bool ending() const { return ending_.load(); }
  // Runs that were told to end because they took too long. The watchdog counts, anyone reads.
  void NoteTerminated() const { terminated_.Add(1); }
  std::int64_t terminated() const { return terminated_.Get(); }
  // What its runs have cost. Any thread; it orders nothing.
  void AddCpuTime(TimeNs used) const { cpu_time_.fetch_add(used, std::memory_order_relaxed); }
  TimeNs cpu_time() const { return cpu_time_.load(std::memory_order_relaxed); }
  // Elements along the ragged axis that its runs were given, and how many of them were padding. Any
  // thread; it orders nothing.
  void AddElements(std::int64_t elements, std::int64_t padding) const {
    elements_.fetch_add(elements, std::memory_order_relaxed);
    padding_.fetch_add(padding, std::memory_order_relaxed);
  }
  std::int64_t elements() const { return elements_.load(std::memory_order_relaxed); }
  std::int64_t padding() const { return padding_.load(std::memory_order_relaxed); }

  // --- the Scheduler's ---

  bool empty() const { return size_ == 0; }
  std::int64_t size() const { return size_; }
  std::int64_t rows_waiting() const;  // in what QueueEntry::work counts
  // The most that a batch takes of that.
  std::int64_t RowsMax(bool contended) const;
  QueueEntry* oldest() { return arrivals_.front(); }
  const QueueCounts& counts() const { return counts_; }

  std::size_t index() const { return index_; }
  void set_index(std::size_t index) { index_ = index; }

  // A call of the entry's client came, and is queued or refused: see call_cost.h.
  void Charge(const QueueEntry& entry);
  // Queues the entry, or says why not and sets its result's retry_after.
  Status Admit(QueueEntry& entry, const AdmissionFacts& facts, double jitter);
  // The same without queueing it.
  Status Judge(QueueEntry& entry, const AdmissionFacts& facts, double jitter);
  void Remove(QueueEntry& entry);

  // When Take will give something; kNever while nothing waits.
  TimeNs ReadyAt() const;

  struct Taken {
    std::vector<QueueEntry*> batch;    // empty where everything was refused or had expired
    std::vector<QueueEntry*> refused;  // with their status
    CloseReason reason = CloseReason::kIdle;
    std::int64_t work = 0;  // of the batch
  };
  // Fixes the next batch. What is expired, or could not be in time any more, leaves as refused.
  // `contended`: another model has work, or had a moment ago.
  void Take(TimeNs now, bool contended, Taken& taken);
  // A run of this queue's has ended.
  void NoteRun(TimeNs now) { last_run_at_ = now; }
  TimeNs last_run_at() const { return last_run_at_; }

 private:
  static constexpr std::size_t kClasses = kPriorityLowest;

  PriorityClass& ClassOf(const QueueEntry& entry);
  PriorityClass* FirstClass();
  QueueEntry* Pop(PriorityClass& from);
  void PutBack(QueueEntry& entry);
  Status Judge(QueueEntry& entry, const Flow& flow, const AdmissionFacts& facts, double jitter);
  Status AdmitInTime(const QueueEntry& entry, const Flow& flow, AdmissionFacts& facts) const;
  Status AdmitPatient(const QueueEntry& entry, const Flow& flow, AdmissionFacts& facts) const;
  std::int64_t RowsAhead(const QueueEntry& entry, const Flow& flow, TimeNs deadline) const;
  bool StaleService(TimeNs now) const;
  bool Full(const Flow& flow) const;
  Status FindFault(const QueueEntry& entry, TimeNs now);
  void Refuse(QueueEntry& entry, Status status, Taken& taken);
  void Collect(PriorityClass& from, TimeNs now, Taken& taken);
  void Choose(TimeNs now, Taken& taken);
  bool TakeIn(QueueEntry& entry, TimeNs now, Taken& taken);
  void Join(TimeNs now, Taken& taken);
  void Fill(TimeNs now, Taken& taken);

  Session& session_;
  const Options options_;
  // The loops that run inline teach it, too.
  mutable ServiceTime service_time_;
  std::atomic<bool> ending_{false};
  std::atomic<int> loops_{0};
  mutable metrics::Cell terminated_;
  mutable std::atomic<TimeNs> cpu_time_{0};
  mutable std::atomic<std::int64_t> elements_{0};
  mutable std::atomic<std::int64_t> padding_{0};

  std::size_t index_ = 0;  // in the Scheduler
  std::array<PriorityClass, kClasses> classes_;
  EntryList arrivals_;  // all that wait, the oldest first
  std::int64_t size_ = 0;
  std::int64_t takes_ = 0;
  TimeNs last_run_at_ = 0;
  ArrivalRate arrival_rate_;
  QueueCounts counts_;
  // Of the Take under way.
  std::vector<QueueEntry*> candidates_;
  std::vector<QueueEntry*> other_shape_;
  std::vector<Candidate> by_deadline_;
  std::int64_t rows_max_ = 1;
  BatchSum sum_;
  bool rows_full_ = false;  // the row limit of a ragged model was reached
  bool more_wait_ = false;  // of their priority, than are candidates
};

}  // namespace penstock
