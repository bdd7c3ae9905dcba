#include "batching/batch_policy.h"

#include <algorithm>

namespace penstock {

bool SameRowShape(std::span<const TensorView> a, std::span<const TensorView> b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::span<const std::int64_t> dims_a = a[i].shape.dims();
    const std::span<const std::int64_t> dims_b = b[i].shape.dims();
    if (dims_a.size() != dims_b.size()) return false;
    if (!std::equal(dims_a.begin() + 1, dims_a.end(), dims_b.begin() + 1)) return false;
  }
  return true;
}

void TakeBatch(EntryList& queue, const BatchLimits& limits, TimeNs now,
               std::vector<QueueEntry*>& batch, EntryList& expired) {
  batch.clear();
  std::int64_t rows = 0;
  for (QueueEntry* entry = queue.front(); entry != nullptr;) {
    QueueEntry* const next = queue.Next(*entry);
    if (entry->deadline <= now) {
      static_cast<ListLink<QueueEntry>*>(entry)->Unlink();
      expired.PushBack(*entry);
    } else if (batch.empty() || (rows + entry->rows <= limits.rows_max &&
                                 SameRowShape(batch.front()->inputs, entry->inputs))) {
      static_cast<ListLink<QueueEntry>*>(entry)->Unlink();
      batch.push_back(entry);
      rows += entry->rows;
      if (!limits.batchable || rows >= limits.rows_max) return;
    }
    entry = next;
  }
}

TimeNs PredictRun(DurationTable durations, std::int64_t rows) {
  if (durations.empty()) return 0;
  const auto above =
      std::ranges::lower_bound(durations, rows, {}, &DurationTable::value_type::first);
  if (above == durations.end()) {
    // Beyond what was measured it grows with the rows, at worst.
    const auto& [last_rows, last_duration] = durations.back();
    return last_duration * rows / last_rows;
  }
  if (above == durations.begin() || above->first == rows) return above->second;
  const auto& [low_rows, low] = *(above - 1);
  const auto& [high_rows, high] = *above;
  return low + (high - low) * (rows - low_rows) / (high_rows - low_rows);
}

std::int64_t RowsWithin(DurationTable durations, std::int64_t rows_max, TimeNs budget) {
  std::int64_t fits = 0;
  std::int64_t too_many = rows_max + 1;
  while (too_many - fits > 1) {
    const std::int64_t middle = fits + (too_many - fits) / 2;
    if (PredictRun(durations, middle) <= budget) {
      fits = middle;
    } else {
      too_many = middle;
    }
  }
  return fits;
}

}  // namespace penstock
