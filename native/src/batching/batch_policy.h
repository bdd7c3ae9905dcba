// PURE. What runs together: decided when a thread is free to run it, never earlier.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "batching/queue_entry.h"

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

// Measured rows and durations of a model, ascending by rows.
using DurationTable = std::span<const std::pair<std::int64_t, TimeNs>>;

// How long `rows` rows take, by interpolation; 0 where nothing was measured.
TimeNs PredictRun(DurationTable durations, std::int64_t rows);

// The most rows, up to rows_max, that are predicted to run within `budget`; 0 if not even one.
std::int64_t RowsWithin(DurationTable durations, std::int64_t rows_max, TimeNs budget);

}  // namespace penstock
