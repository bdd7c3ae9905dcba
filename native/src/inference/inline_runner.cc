#include "inference/inline_runner.h"

#include "batching/batch_worker.h"

namespace penstock {

InlineRunner::InlineRunner(const Resources& resources)
    : scheduler_(resources.scheduler),
      clock_(resources.clock),
      cells_(resources.cells),
      pending_(resources.models.versions().size()),
      runner_(resources.watchdog) {
  for (const std::unique_ptr<ModelVersion>& model : resources.models.versions()) {
    pending_[model->index()].model = model.get();
  }
}

void InlineRunner::Enqueue(const ModelVersion& model, QueueEntry& entry) {
  Pending& pending = pending_[model.index()];
  if (pending.entries.empty()) touched_.push_back(model.index());
  pending.entries.PushBack(entry);
}

bool InlineRunner::Remove(const ModelVersion& model, QueueEntry& entry) {
  if (entry.handed_over) return scheduler_.Remove(model.queue(), entry);
  // Cancelled in the turn that brought it: nobody else has seen it.
  static_cast<ListLink<QueueEntry>&>(entry).Unlink();
  return true;
}

Status InlineRunner::Foresee(const ModelVersion& model, QueueEntry& entry) {
  // What runs inline does not wait for the scheduler's queue.
  if (model.warmup().run_inline) return {};
  Status status = scheduler_.Foresee(model.queue(), entry);
  if (!status.ok()) ++refused_;
  return status;
}

void InlineRunner::RunTurn() {
  TimeNs budget = kInlineBudget;
  turn_.swap(touched_);
  for (const std::size_t index : turn_) {
    Pending& pending = pending_[index];
    if (pending.model->warmup().run_inline) RunInline(pending, budget);
    if (!pending.entries.empty()) HandOver(pending);
  }
  turn_.clear();
}

void InlineRunner::RunInline(Pending& pending, TimeNs& budget) {
  const ModelVersion& model = *pending.model;
  const ServiceTime& service_time = model.queue().service_time();
  // Longer than a turn's budget and inline all the same: the operator asked for it. Such a model
  // gets one batch a turn.
  const bool asked_for = service_time.Predict(1) > kInlineBudget;
  while (!pending.entries.empty()) {
    const std::int64_t rows = service_time.RowsWithin(model.max_batch_size(), budget);
    const bool fits = pending.entries.front()->rows <= rows ||
                      service_time.Predict(pending.entries.front()->rows) <= budget;
    if (!fits && !(asked_for && budget == kInlineBudget)) return;
    EntryList expired;
    const TimeNs now = clock_.Now();
    TakeBatch(pending.entries, {.batchable = model.batchable(), .rows_max = rows}, now, batch_,
              expired);
    while (QueueEntry* entry = expired.PopFront()) {
      entry->result.status = DeadlineExceeded("the deadline passed while the request waited");
      entry->Deliver();
    }
    if (batch_.empty()) continue;
    budget -= RunObserved(runner_, model.queue(), batch_, now, clock_) - now;
    cells_.Add(metrics::Counter::kRequestsInline, static_cast<std::int64_t>(batch_.size()));
    for (QueueEntry* entry : batch_) entry->Deliver();
  }
}

void InlineRunner::HandOver(Pending& pending) {
  const ModelVersion& model = *pending.model;
  for (QueueEntry* entry = pending.entries.front(); entry != nullptr;
       entry = pending.entries.Next(*entry)) {
    entry->handed_over = true;
  }
  scheduler_.Enqueue(model.queue(), pending.entries);
  while (QueueEntry* refused = pending.entries.PopFront()) {
    ++refused_;
    refused->Deliver();
  }
}

}  // namespace penstock
