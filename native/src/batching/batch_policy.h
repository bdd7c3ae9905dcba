// PURE. What runs together: decided when a thread is free to run it, never earlier.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "batching/queue_entry.h"
#include "batching/service_time.h"

namespace penstock {

struct BatchLimits {
  bool batchable = false;
  std::int64_t rows_max = 1;
};

// Equal in everything but the first dimension: what may stand in one batch.
bool SameRowShape(std::span<const TensorView> a, std::span<const TensorView> b);

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

// Which of `by_deadline` (ascending) to run now so that the answers in time for each second of run
// are most. A batch runs as long as its rows need, so the earliest deadline in it bounds its size:
// each member given up for a larger batch is counted against what that batch brings, if it could
// have been in time, and none is where all can be one batch after the other. Nothing is taken only
// where nobody can be in time.
BatchChoice ChooseBatch(std::span<const Candidate> by_deadline, std::int64_t rows_max,
                        const ServiceTime& service_time, TimeNs now);

}  // namespace penstock
