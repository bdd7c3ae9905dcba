#include "batching/batch_policy.h"

#include <algorithm>

namespace penstock {
namespace {

// What a batch that begins with candidate `first` brings.
struct Batch {
  std::size_t members = 0;
  std::int64_t rows = 0;
  bool deadline_bound = false;
};

Batch BatchFrom(std::span<const Candidate> by_deadline, std::size_t first, std::int64_t rows_max,
                const ServiceTime& service_time, TimeNs now) {
  const TimeNs deadline = by_deadline[first].deadline;
  const std::int64_t rows_in_time =
      deadline == kNever ? rows_max : service_time.RowsWithinHigh(rows_max, deadline - now);
  const bool in_time_at_any_size = rows_in_time == rows_max;
  // Alone it may try its luck: it was kept because the mean says that there is time.
  const bool in_time_alone = service_time.Predict(by_deadline[first].rows) <= deadline - now;
  Batch batch;
  for (const Candidate& candidate : by_deadline.subspan(first)) {
    const std::int64_t rows = batch.rows + candidate.rows;
    // One request may have more rows than a batch: it then runs alone.
    if (batch.members > 0 && rows > rows_max) break;
    const bool lucky = batch.members == 0 && in_time_alone;
    if (!in_time_at_any_size && rows > rows_in_time && !lucky) {
      batch.deadline_bound = true;
      break;
    }
    batch.rows = rows;
    ++batch.members;
  }
  return batch;
}

// Whether those behind `batch`, which begins the list, can still run in time after it.
bool LeavesTime(std::span<const Candidate> by_deadline, const Batch& batch,
                const ServiceTime& service_time, TimeNs now) {
  if (batch.members == 0) return false;
  if (batch.members == by_deadline.size()) return true;
  std::int64_t rows = 0;
  for (const Candidate& behind : by_deadline.subspan(batch.members)) rows += behind.rows;
  const TimeNs both = service_time.PredictHigh(batch.rows) + service_time.PredictHigh(rows);
  return both <= by_deadline[batch.members].deadline - now;
}

}  // namespace

bool SameRowShape(std::span<const TensorView> a, std::span<const TensorView> b,
                  const Ragged* ragged) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::span<const std::int64_t> dims_a = a[i].shape.dims();
    const std::span<const std::int64_t> dims_b = b[i].shape.dims();
    if (dims_a.size() != dims_b.size()) return false;
    const RaggedInput* const here = ragged == nullptr ? nullptr : ragged->Find(i);
    for (std::size_t axis = 1; axis < dims_a.size(); ++axis) {
      const bool may_differ = here != nullptr && here->axis == axis;
      if (dims_a[axis] != dims_b[axis] && !may_differ) return false;
    }
  }
  return true;
}

bool SameRun(const QueueEntry& a, const QueueEntry& b, const Ragged* ragged) {
  return a.raw == b.raw && a.run_length == b.run_length && SameRowShape(a.inputs, b.inputs, ragged);
}

void BatchSum::Add(const QueueEntry& entry) {
  rows += entry.rows;
  run_length = std::max(run_length, entry.run_length);
  own_work += entry.work();
  deadline = std::min(deadline, entry.deadline);
}

BatchSum SumOf(std::span<QueueEntry* const> batch) {
  BatchSum sum;
  for (const QueueEntry* entry : batch) sum.Add(*entry);
  return sum;
}

bool PaddingPays(const BatchSum& batch, const QueueEntry& entry, const ServiceTime& service_time) {
  BatchSum joined = batch;
  joined.Add(entry);
  const TimeNs longer = service_time.Predict(joined.work()) - service_time.Predict(batch.work());
  return joined.work() - joined.own_work <= joined.work() / 4 &&
         longer <= service_time.Predict(entry.work());
}

void TakeBatch(EntryList& queue, const BatchLimits& limits, TimeNs now,
               std::vector<QueueEntry*>& batch, EntryList& expired) {
  batch.clear();
  std::int64_t rows = 0;
  std::int64_t work = 0;
  for (QueueEntry* entry = queue.front(); entry != nullptr;) {
    QueueEntry* const next = queue.Next(*entry);
    if (entry->deadline <= now) {
      static_cast<ListLink<QueueEntry>*>(entry)->Unlink();
      expired.PushBack(*entry);
    } else if (batch.empty() || (rows + entry->rows <= limits.rows_max &&
                                 work + entry->work() <= limits.work_max() &&
                                 SameRun(*batch.front(), *entry, limits.ragged))) {
      static_cast<ListLink<QueueEntry>*>(entry)->Unlink();
      batch.push_back(entry);
      rows += entry->rows;
      work += entry->work();
      if (!limits.batchable || work >= limits.work_max()) return;
    }
    entry = next;
  }
}

BatchChoice ChooseBatch(std::span<const Candidate> by_deadline, const ServiceTime& service_time,
                        const ChoiceFacts& facts) {
  const TimeNs now = facts.now;
  BatchChoice best;
  double best_rate = 0;
  std::size_t lost = 0;  // of those given up, such as could have been in time
  bool viable = false;   // those with the deadline looked at last
  for (std::size_t first = 0; first < by_deadline.size(); ++first) {
    if (first > 0 && viable) ++lost;
    if (first > 0 && by_deadline[first].deadline == by_deadline[first - 1].deadline) continue;
    const Batch batch = BatchFrom(by_deadline, first, facts.rows_max, service_time, now);
    viable = batch.members > 0;
    if (batch.members > lost) {
      const auto gain = static_cast<double>(batch.members - lost);
      const auto cost = static_cast<double>(std::max<TimeNs>(service_time.Predict(batch.rows), 1));
      if (gain / cost > best_rate) {
        best_rate = gain / cost;
        best = {.given_up = first, .taken = batch.members, .deadline_bound = batch.deadline_bound};
      }
    }
    // Those behind can only be fewer or as many.
    if (viable && !batch.deadline_bound) break;
    // There is no need to choose where there is time for all.
    if (!facts.more_wait && lost == 0 && viable &&
        LeavesTime(by_deadline.subspan(first), batch, service_time, now)) {
      break;
    }
  }
  return best;
}

}  // namespace penstock
