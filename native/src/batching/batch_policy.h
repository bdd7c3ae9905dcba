// PURE. What runs together: decided when a thread is free to run it, never earlier.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "batching/queue_entry.h"
#include "batching/ragged.h"
#include "batching/service_time.h"

namespace penstock {

struct BatchLimits {
  bool batchable = false;
  std::int64_t rows_max = 1;
  // Null where all rows are alike. Else a batch is limited by its work as well.
  const Ragged* ragged = nullptr;
  std::int64_t ragged_work_max = 0;

  // In what QueueEntry::work counts.
  std::int64_t work_max() const { return ragged == nullptr ? rows_max : ragged_work_max; }
  void SetWorkMax(std::int64_t work) { (ragged == nullptr ? rows_max : ragged_work_max) = work; }
};

// Equal in everything but the first dimension, and the ragged ones: what may stand in one batch.
bool SameRowShape(std::span<const TensorView> a, std::span<const TensorView> b,
                  const Ragged* ragged = nullptr);

// Alike in their length as well, nearly: what stands in one batch without asking further. What has
// to be prepared for the model does not run with what is sent as the model takes it.
bool SameRun(const QueueEntry& a, const QueueEntry& b, const Ragged* ragged);

// A batch as far as its cost and its deadline are concerned.
struct BatchSum {
  std::int64_t rows = 0;
  std::int64_t run_length = 0;  // the longest
  std::int64_t own_work = 0;    // of each entry by itself
  TimeNs deadline = kNever;     // the earliest

  void Add(const QueueEntry& entry);
  // What it costs to run: its rows, each as long as the longest.
  std::int64_t work() const { return run_length == 0 ? rows : rows * run_length; }
};
BatchSum SumOf(std::span<QueueEntry* const> batch);

// Whether a batch should take in an entry of another length, padding one of them: its run becomes
// longer by no more than a run of its own would take, and no more than a quarter of it padding.
bool PaddingPays(const BatchSum& batch, const QueueEntry& entry, const ServiceTime& service_time);

// Takes one batch from the front of `queue` into `batch` (cleared first): the first entry that is
// still in time and, where the model is batchable, those behind it that fit with it. Entries whose
// deadline has passed are moved to `expired`. What does not fit keeps its place.
void TakeBatch(EntryList& queue, const BatchLimits& limits, TimeNs now,
               std::vector<QueueEntry*>& batch, EntryList& expired);

// What may run next, as far as the choice is concerned.
struct Candidate {
  std::int64_t rows = 1;
  TimeNs deadline = kNever;
};

struct BatchChoice {
  std::size_t given_up = 0;  // the first so many: waiting for them would cost more than they bring
  std::size_t taken = 0;     // the next so many
  bool deadline_bound = false;  // more would have fitted but for the deadlines
};

// What the choice of a batch depends on beside its candidates.
struct ChoiceFacts {
  TimeNs now = 0;
  std::int64_t rows_max = 1;
  bool more_wait = false;  // than there are candidates
};

// Which of `by_deadline` (ascending) to run now so that the answers in time for each second of run
// are most. A batch runs as long as its rows need, so the earliest deadline in it bounds its size:
// each member given up for a larger batch is counted against what that batch brings, if it could
// have been in time, and none is where all that wait can be one batch after the other. Nothing is
// taken only where nobody can be in time.
BatchChoice ChooseBatch(std::span<const Candidate> by_deadline, const ServiceTime& service_time,
                        const ChoiceFacts& facts);

}  // namespace penstock
