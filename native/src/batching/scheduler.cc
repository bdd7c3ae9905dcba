#include "batching/scheduler.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace penstock {

void Scheduler::Add(BatchQueue& queue) {
  queue.set_index(slots_.size());
  slots_.push_back({.queue = &queue});
}

Scheduler::Slot& Scheduler::SlotOf(const BatchQueue& queue) {
  return slots_[queue.index()];
}

Scheduler::Outlook Scheduler::Enqueue(BatchQueue& queue, EntryList& entries) {
  EntryList refused;
  Outlook outlook;
  {
    const std::lock_guard<std::mutex> lock(mu_);
    Slot& slot = SlotOf(queue);
    const TimeNs now = clock_.Now();
    Wake(slot);
    const AdmissionFacts facts = Facts(slot, now);
    while (QueueEntry* entry = entries.PopFront()) {
      Charge(slot, *entry);
      entry->result.status =
          closed_ ? Unavailable("no more requests are run") : queue.Admit(*entry, facts, Jitter());
      if (!entry->result.status.ok()) refused.PushBack(*entry);
    }
    if (!ThreadFree()) outlook.busy_for = FirstEndIn(nullptr, now);
    outlook.room_left = queue.rows_waiting() < queue.RowsMax(facts.contended);
  }
  entries.Splice(refused);
  work_.notify_one();
  return outlook;
}

// Who was idle has no credit for it.
void Scheduler::Wake(Slot& slot) {
  if (!slot.queue->empty() || slot.running > 0) return;
  slot.virtual_time = std::max(slot.virtual_time, virtual_time_);
}

void Scheduler::Charge(Slot& slot, const QueueEntry& entry) {
  const BatchQueue& queue = *slot.queue;
  const TimeNs batch = queue.service_time().Predict(queue.limits().work_max());
  slot.virtual_time = Charged(slot.virtual_time, virtual_time_, kCallCost, batch);
  slot.queue->Charge(entry);
}

bool Scheduler::Remove(BatchQueue& queue, QueueEntry& entry) {
  const std::lock_guard<std::mutex> lock(mu_);
  if (!static_cast<ListLink<QueueEntry>&>(entry).linked()) return false;
  queue.Remove(entry);
  return true;
}

Status Scheduler::Foresee(BatchQueue& queue, QueueEntry& entry) {
  const std::lock_guard<std::mutex> lock(mu_);
  Slot& slot = SlotOf(queue);
  Status status = queue.Judge(entry, Facts(slot, clock_.Now()), Jitter());
  // What may be received is charged when it has been.
  if (!status.ok()) Charge(slot, entry);
  return status;
}

double Scheduler::Jitter() {
  return std::uniform_real_distribution<double>(0, 1)(random_);
}

// Whether another queue has work, or had some a moment ago: it then is likely to have some soon.
bool Scheduler::Contended(const Slot& slot, TimeNs now) const {
  constexpr TimeNs kMoment = 200 * kMillisecond;
  return std::ranges::any_of(slots_, [&slot, now](const Slot& other) {
    if (&other == &slot) return false;
    return other.running > 0 || !other.queue->empty() || now - other.queue->last_run_at() < kMoment;
  });
}

// A queue counts on its share of the threads among those that have work.
AdmissionFacts Scheduler::Facts(const Slot& slot, TimeNs now) const {
  const auto works = [](const Slot& other) { return other.running > 0 || !other.queue->empty(); };
  std::int64_t others = 0;
  for (const Slot& other : slots_) others += &other != &slot && works(other) ? 1 : 0;
  const double share = static_cast<double>(threads_) / static_cast<double>(1 + others);
  AdmissionFacts facts = {
      .now = now,
      .contended = Contended(slot, now),
      .servers = std::min(static_cast<double>(slot.queue->instance_count()), share)};
  const bool own_instances = slot.running >= slot.queue->instance_count();
  if (own_instances || !ThreadFree()) {
    facts.free_in = FirstEndIn(own_instances ? slot.queue : nullptr, now);
  }
  return facts;
}

// Until the first run of this queue, or of all, is expected to end.
TimeNs Scheduler::FirstEndIn(const BatchQueue* of, TimeNs now) const {
  TimeNs first_end = kNever;
  for (const Running& run : running_) {
    if (of == nullptr || run.queue == of) first_end = std::min(first_end, run.expected_end);
  }
  // One that takes longer than expected may end any moment, yet has not.
  return std::max<TimeNs>(first_end - now, 1);
}

void Scheduler::Next(Taken& taken) {
  std::unique_lock<std::mutex> lock(mu_);
  while (true) {
    taken.queue = nullptr;
    if (closed_) return;
    TimeNs wake_at = kNever;
    const TimeNs now = clock_.Now();
    if (TakeLocked(now, taken, wake_at)) break;
    if (wake_at == kNever) {
      work_.wait(lock);
    } else {
      work_.wait_for(lock, std::chrono::nanoseconds(wake_at - now));
    }
  }
  // What is left may be another thread's.
  TimeNs wake_at = kNever;
  if (Choose(taken.began, wake_at) != nullptr || wake_at != kNever) work_.notify_one();
}

bool Scheduler::TryNext(TimeNs now, Taken& taken, TimeNs& wake_at) {
  const std::lock_guard<std::mutex> lock(mu_);
  return TakeLocked(now, taken, wake_at);
}

bool Scheduler::TakeLocked(TimeNs now, Taken& taken, TimeNs& wake_at) {
  Slot* const slot = Choose(now, wake_at);
  if (slot == nullptr) return false;
  BatchQueue& queue = *slot->queue;
  queue.Take(now, Contended(*slot, now), taken);
  virtual_time_ = std::max(virtual_time_, slot->virtual_time);
  BeginLocked(*slot, now, taken);
  return true;
}

bool Scheduler::TryBegin(BatchQueue& queue, QueueEntry& entry, Taken& taken) {
  const std::lock_guard<std::mutex> lock(mu_);
  Slot& slot = SlotOf(queue);
  if (closed_ || !queue.empty() || slot.running >= queue.instance_count()) return false;
  Wake(slot);
  taken.batch.assign(1, &entry);
  taken.refused.clear();
  taken.work = entry.work();
  BeginLocked(slot, clock_.Now(), taken);
  return true;
}

void Scheduler::BeginLocked(Slot& slot, TimeNs now, Taken& taken) {
  BatchQueue& queue = *slot.queue;
  taken.queue = &queue;
  taken.began = now;
  taken.run = ++runs_;
  const TimeNs expected = taken.batch.empty() ? 0 : queue.service_time().Predict(taken.work);
  slot.virtual_time += expected;
  ++slot.running;
  running_.push_back(
      {.run = taken.run, .queue = &queue, .began = now, .expected_end = now + expected});
}

void Scheduler::Done(const Taken& taken) {
  {
    const std::lock_guard<std::mutex> lock(mu_);
    Slot& slot = SlotOf(*taken.queue);
    const auto run = std::ranges::find(running_, taken.run, &Running::run);
    CHECK(run != running_.end());
    const TimeNs now = clock_.Now();
    const TimeNs took = taken.batch.empty() ? 0 : now - taken.began;
    slot.virtual_time += took - (run->expected_end - run->began);
    slot.compute_time += took;
    --slot.running;
    running_.erase(run);
    if (!taken.batch.empty()) taken.queue->NoteRun(now);
    if (taken.queue->empty()) return;
  }
  work_.notify_one();
}

void Scheduler::Close() {
  {
    const std::lock_guard<std::mutex> lock(mu_);
    closed_ = true;
  }
  work_.notify_all();
}

void Scheduler::TakeAll(std::vector<QueueEntry*>& entries) {
  const std::lock_guard<std::mutex> lock(mu_);
  for (const Slot& slot : slots_) {
    while (QueueEntry* const entry = slot.queue->oldest()) {
      slot.queue->Remove(*entry);
      entries.push_back(entry);
    }
  }
}

Scheduler::Snapshot Scheduler::Look(const BatchQueue& queue) {
  const std::lock_guard<std::mutex> lock(mu_);
  const Slot& slot = SlotOf(queue);
  return {.counts = queue.counts(),
          .waiting = queue.size(),
          .running = slot.running,
          .compute_time = slot.compute_time};
}

Scheduler::Slot* Scheduler::Choose(TimeNs now, TimeNs& wake_at) {
  Slot* chosen = nullptr;
  for (Slot& slot : slots_) {
    if (slot.running >= slot.queue->instance_count()) continue;
    const TimeNs ready_at = slot.queue->ReadyAt();
    if (ready_at > now) {
      wake_at = std::min(wake_at, ready_at);
    } else if (chosen == nullptr || slot.virtual_time < chosen->virtual_time) {
      chosen = &slot;
    }
  }
  return chosen;
}

}  // namespace penstock
