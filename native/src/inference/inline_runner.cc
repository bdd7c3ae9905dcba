#include "inference/inline_runner.h"

#include "base/strings.h"
#include "batching/batch_worker.h"

namespace penstock {

InlineRunner::InlineRunner(const Resources& resources)
    : scheduler_(resources.scheduler),
      clock_(resources.clock),
      logger_(resources.logger),
      loop_index_(resources.loop_index),
      cells_(resources.cells),
      pending_(resources.models.versions().size()),
      runner_(resources.clock, resources.watchdog) {
  for (const std::unique_ptr<ModelVersion>& model : resources.models.versions()) {
    Pending& pending = pending_[model->index()];
    pending.model = model.get();
    pending.place.on_loop = model->warmup().run_inline;
    if (pending.place.on_loop) model->queue().NoteLoop(1);
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
  if (pending_[model.index()].place.on_loop) return {};
  Status status = scheduler_.Foresee(model.queue(), entry);
  if (!status.ok()) outcome_.refused = true;
  return status;
}

TimeNs InlineRunner::RunTurn(TimeNs began) {
  if (touched_.empty()) return 0;
  const TimeNs decoded_at = clock_.Now();
  TimeNs now = decoded_at;
  const TimeNs whole = InlineBudget(now - began);
  Budget budget = {.whole = whole, .left = whole};
  turn_.swap(touched_);
  for (const std::size_t index : turn_) {
    Pending& pending = pending_[index];
    for (QueueEntry* entry = pending.entries.front(); entry != nullptr;
         entry = pending.entries.Next(*entry)) {
      entry->queued_at = decoded_at;
    }
    Place(pending, now);
    if (pending.place.on_loop) RunInline(pending, now, budget);
    if (!pending.entries.empty()) HandOver(pending);
  }
  turn_.clear();
  return now;
}

// Whether the loop still runs it, or again.
void InlineRunner::Place(Pending& pending, TimeNs now) {
  const WarmupReport& warmup = pending.model->warmup();
  if (!warmup.run_inline || warmup.stays_inline) return;
  const ServiceTime& service_time = pending.model->queue().service_time();
  // The usual case, cheaply: a run of any size is short.
  if (pending.place.on_loop && service_time.LastMean() <= kInlineRunLeaves) return;
  const TimeNs one_row = service_time.EstimateOne();
  const RunPlace place = ChooseRunPlace(pending.place, one_row, now);
  if (place.on_loop == pending.place.on_loop) return;
  pending.place = place;
  pending.model->queue().NoteLoop(place.on_loop ? 1 : -1);
  if (!place.on_loop) pending.model->cells(loop_index_).AddLeftLoop();
  logger_.Warning(place.on_loop ? "a model is fast again and runs on its event loop"
                                : "a model has become slow and leaves its event loop",
                  {{"model", pending.model->name()},
                   {"version", pending.model->version_text()},
                   {"loop", StrCat("io-", loop_index_)},
                   {"one_row_us", StrCat(one_row / kMicrosecond)}});
}

void InlineRunner::RunInline(Pending& pending, TimeNs& now, Budget& budget) {
  const ModelVersion& model = *pending.model;
  const ServiceTime& service_time = model.queue().service_time();
  while (!pending.entries.empty()) {
    const std::int64_t front_work = pending.entries.front()->work();
    BatchLimits limits = model.queue().limits();
    limits.SetWorkMax(service_time.RowsWithin(limits.work_max(), budget.left));
    const bool fits =
        front_work <= limits.work_max() || service_time.Predict(front_work) <= budget.left;
    // One batch a turn all the same: of a model that the operator wants inline however long it
    // runs, and of a single row, or what was learned of slower days would never be corrected.
    const bool long_by_choice =
        model.warmup().stays_inline && service_time.Predict(1) > budget.whole;
    const bool tried =
        budget.left == budget.whole && (long_by_choice || pending.entries.front()->rows == 1);
    if (!fits && !tried) return;
    EntryList expired;
    TakeBatch(pending.entries, limits, now, batch_, expired);
    while (QueueEntry* entry = expired.PopFront()) {
      entry->result.status = ExpiredWaiting();
      entry->Deliver();
    }
    if (batch_.empty()) continue;
    outcome_.ran = true;
    // A loop's time in a run is its CPU time, or nearly: asking for that would be a system call.
    const TimeNs took = RunObserved(runner_, model.queue(), batch_, now, clock_) - now;
    model.queue().AddCpuTime(took);
    budget.left -= took;
    cells_.Add(metrics::Counter::kRequestsInline, static_cast<std::int64_t>(batch_.size()));
    for (QueueEntry* entry : batch_) entry->Deliver();
    now = clock_.Now();
  }
}

void InlineRunner::HandOver(Pending& pending) {
  const ModelVersion& model = *pending.model;
  for (QueueEntry* entry = pending.entries.front(); entry != nullptr;
       entry = pending.entries.Next(*entry)) {
    entry->handed_over = true;
  }
  const Scheduler::Outlook outlook = scheduler_.Enqueue(model.queue(), pending.entries);
  outcome_.busy_for = outlook.busy_for;
  outcome_.room_left |= outlook.room_left;
  while (QueueEntry* refused = pending.entries.PopFront()) {
    outcome_.refused = true;
    refused->Deliver();
  }
}

}  // namespace penstock
