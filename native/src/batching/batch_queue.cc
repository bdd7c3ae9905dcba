#include "batching/batch_queue.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace penstock {
namespace {

// One batch in so many begins with the lowest priority that waits: strict priorities starve nobody.
constexpr std::int64_t kFloorEvery = 20;
// Entries of another shape, or another length, that are passed over in search of those that fit.
constexpr std::size_t kOtherShapesMax = 64;
constexpr std::size_t kOtherLengthsMax = 256;
// What was learned is trusted to refuse for so long after the last run. A prediction that refuses
// everything would otherwise never be corrected.
constexpr TimeNs kServiceTimeTrusted = kSecond;
// Of what full batches answer, where another model wants to run as well.
constexpr double kContendedShare = 0.9;

}  // namespace

BatchQueue::BatchQueue(Session& session, Options options)
    : session_(session), options_(std::move(options)), service_time_(options_.durations) {}

std::int64_t BatchQueue::rows_waiting() const {
  std::int64_t rows = 0;
  for (const PriorityClass& priority : classes_) rows += priority.rows_waiting();
  return rows;
}

PriorityClass& BatchQueue::ClassOf(const QueueEntry& entry) {
  DCHECK(entry.priority >= kPriorityHighest && entry.priority <= kPriorityLowest);
  return classes_[static_cast<std::size_t>(entry.priority - kPriorityHighest)];
}

std::int64_t BatchQueue::RowsAhead(const QueueEntry& entry, const Flow& flow,
                                   TimeNs deadline) const {
  std::int64_t ahead = 0;
  const auto own = static_cast<std::size_t>(entry.priority - kPriorityHighest);
  for (std::size_t i = 0; i < own; ++i) ahead += classes_[i].rows_waiting();
  return ahead + classes_[own].RowsAhead(flow, deadline);
}

bool BatchQueue::StaleService(TimeNs now) const {
  return now - last_run_at_ > kServiceTimeTrusted;
}

Status BatchQueue::AdmitInTime(const QueueEntry& entry, const Flow& flow,
                               AdmissionFacts& facts) const {
  if (entry.deadline == kNever) return AdmitPatient(entry, flow, facts);
  facts.rows_ahead = RowsAhead(entry, flow, kNever);
  Forecast forecast = PredictAnswer(facts, entry.deadline, service_time_);
  if (forecast.in_time()) return {};
  // Not behind all of its client's: once more, exactly.
  facts.rows_ahead = RowsAhead(entry, flow, entry.deadline);
  forecast = PredictAnswer(facts, entry.deadline, service_time_);
  if (forecast.in_time()) return {};
  return ResourceExhausted(StrCat("model '", options_.model, "' is busy: an answer is expected in ",
                                  (forecast.finish - facts.now) / kMicrosecond, " us, at most ",
                                  (forecast.promised - facts.now) / kMicrosecond, " us of the ",
                                  (entry.deadline - facts.now) / kMicrosecond,
                                  " us until the deadline are promised"));
}

// A client may take up eight times the room that is left, so that one alone never fills the queue
// for all.
bool BatchQueue::Full(const Flow& flow) const {
  constexpr std::int64_t kTimesTheRoom = 8;
  const std::int64_t room = options_.size_max - size_;
  return static_cast<std::int64_t>(flow.heap.size()) >= kTimesTheRoom * room;
}

// It would wait for as long as it takes; others could use what it occupies meanwhile.
Status BatchQueue::AdmitPatient(const QueueEntry& entry, const Flow& flow,
                                AdmissionFacts& facts) const {
  facts.rows_ahead = RowsAhead(entry, flow, kNever);
  const TimeNs wait = PredictWait(facts, service_time_);
  const TimeNs limit = WaitLimit(options_.wait_max, service_time_.Predict(facts.rows_max));
  if (wait <= limit) return {};
  return ResourceExhausted(StrCat("model '", options_.model, "' is busy: its queue takes ",
                                  wait / kMillisecond, " ms to work off, at most ",
                                  limit / kMillisecond, " are waited (max_queue_time_ms)"));
}

Status BatchQueue::Judge(QueueEntry& entry, const AdmissionFacts& facts, double jitter) {
  return Judge(entry, ClassOf(entry).FlowOf(entry.client), facts, jitter);
}

Status BatchQueue::Judge(QueueEntry& entry, const Flow& flow, const AdmissionFacts& asked,
                         double jitter) {
  AdmissionFacts facts = asked;
  facts.rows = entry.work();
  facts.rows_max = RowsMax(asked.contended);
  facts.arrival_rate = arrival_rate_.At(facts.now);
  // What others will bring comes after it, and is left out where it would make it late.
  if (ClassOf(entry).Modest(flow, facts.arrival_rate, facts.now)) facts.arrival_rate = 0;
  // Its client's own later calls may take its place, but for patient ones, which give way to it;
  // another's would take its share.
  if (ClassOf(entry).Alone(flow)) {
    facts.refill_rate = std::min(facts.arrival_rate, flow.due_arrivals.At(facts.now));
  }
  Status status;
  if (entry.deadline <= facts.now) {
    ++counts_.expired;
    return DeadlineExceeded("the deadline had passed when the request arrived");
  }
  if (Full(flow)) {
    ++counts_.refused_full;
    facts.rows_ahead = rows_waiting();
    status = ResourceExhausted(StrCat("model '", options_.model, "': its queue is full"));
  } else if (const bool idle_and_unsure = empty() && StaleService(facts.now); !idle_and_unsure) {
    status = AdmitInTime(entry, flow, facts);
    if (!status.ok())
      ++(entry.deadline == kNever ? counts_.refused_delay : counts_.refused_deadline);
  }
  if (!status.ok()) entry.result.retry_after = RetryAfter(facts, service_time_, jitter);
  return status;
}

Status BatchQueue::Admit(QueueEntry& entry, const AdmissionFacts& facts, double jitter) {
  arrival_rate_.Note(entry.work(), facts.now);
  Flow& flow = ClassOf(entry).FlowOf(entry.client);
  flow.arrivals.Note(entry.work(), facts.now);
  if (entry.deadline != kNever) flow.due_arrivals.Note(entry.work(), facts.now);
  RETURN_IF_ERROR(Judge(entry, flow, facts, jitter));
  ClassOf(entry).Push(entry, flow);
  arrivals_.PushBack(entry);
  ++size_;
  return {};
}

void BatchQueue::Charge(const QueueEntry& entry) {
  const std::int64_t most = options_.limits.work_max();
  const auto batch = static_cast<double>(std::max<TimeNs>(service_time_.Predict(most), kCallCost));
  const auto rows = static_cast<double>(most);
  PriorityClass& priority = ClassOf(entry);
  priority.Charge(priority.FlowOf(entry.client), rows * static_cast<double>(kCallCost) / batch,
                  rows);
}

void BatchQueue::Remove(QueueEntry& entry) {
  static_cast<ListLink<QueueEntry>&>(entry).Unlink();
  ClassOf(entry).Remove(entry);
  --size_;
}

QueueEntry* BatchQueue::Pop(PriorityClass& from) {
  QueueEntry* const entry = from.Pop();
  if (entry != nullptr) --size_;
  return entry;
}

void BatchQueue::PutBack(QueueEntry& entry) {
  ClassOf(entry).PutBack(entry);
  ++size_;
}

TimeNs BatchQueue::ReadyAt() const {
  if (empty()) return kNever;
  if (options_.delay_max == 0 || !options_.limits.batchable) return 0;
  if (rows_waiting() >= options_.limits.work_max()) return 0;
  return arrivals_.front()->enqueued_at + options_.delay_max;
}

PriorityClass* BatchQueue::FirstClass() {
  const auto waits = [](const PriorityClass& priority) { return !priority.empty(); };
  const auto first = std::ranges::find_if(classes_, waits);
  if (first == classes_.end()) return nullptr;
  if (++takes_ % kFloorEvery != 0) return &*first;
  return &*std::find_if(classes_.rbegin(), classes_.rend(), waits);
}

// Why an entry is not to be run any more.
Status BatchQueue::FindFault(const QueueEntry& entry, TimeNs now) {
  if (entry.deadline <= now) {
    ++counts_.expired;
    return ExpiredWaiting();
  }
  if (entry.deadline == kNever) {
    QueueDelay& delay = ClassOf(entry).FlowOf(entry.client).delay;
    if (!delay.Refuses(options_.delay_target, now - entry.enqueued_at, now)) return {};
    ++counts_.refused_delay;
    ClassOf(entry).Forgive(entry);
    return ResourceExhausted(StrCat("model '", options_.model, "' is busy: the request waited for ",
                                    (now - entry.enqueued_at) / kMillisecond,
                                    " ms behind a queue that does not drain"));
  }
  const TimeNs needed = service_time_.Predict(entry.work());
  if (entry.deadline - now >= needed || StaleService(now)) return {};
  ++counts_.refused_late;
  return ResourceExhausted(StrCat("model '", options_.model, "' is busy: a run takes ",
                                  needed / kMicrosecond, " us, the deadline is in ",
                                  (entry.deadline - now) / kMicrosecond, " us"));
}

void BatchQueue::Refuse(QueueEntry& entry, Status status, Taken& taken) {
  static_cast<ListLink<QueueEntry>&>(entry).Unlink();
  entry.result.status = std::move(status);
  taken.refused.push_back(&entry);
}

// A long run keeps the others waiting. Where there are others, it is no longer than most of the
// throughput takes.
std::int64_t BatchQueue::RowsMax(bool contended) const {
  const std::int64_t most = options_.limits.work_max();
  if (!contended || !options_.limits.batchable) return most;
  return service_time_.RowsForShare(most, kContendedShare);
}

void BatchQueue::Take(TimeNs now, bool contended, Taken& taken) {
  rows_max_ = RowsMax(contended);
  taken.batch.clear();
  taken.refused.clear();
  taken.work = 0;
  sum_ = {};
  while (PriorityClass* const first = FirstClass()) {
    Collect(*first, now, taken);
    more_wait_ = !first->empty();
    if (!candidates_.empty()) break;
  }
  if (candidates_.empty()) return;
  Choose(now, taken);
  if (options_.limits.batchable) {
    Join(now, taken);
    Fill(now, taken);
  }
  taken.work = sum_.work();
  for (QueueEntry* entry : other_shape_) PutBack(*entry);
  other_shape_.clear();
  candidates_.clear();
  for (QueueEntry* entry : taken.batch) static_cast<ListLink<QueueEntry>*>(entry)->Unlink();
  ++counts_.batches[static_cast<std::size_t>(taken.reason)];
}

// Candidates for one batch, of one priority and one shape.
void BatchQueue::Collect(PriorityClass& from, TimeNs now, Taken& taken) {
  std::int64_t rows = 0;
  std::int64_t work = 0;
  rows_full_ = false;
  const bool ragged = options_.limits.ragged != nullptr;
  const std::size_t others_max = ragged ? kOtherLengthsMax : kOtherShapesMax;
  const std::int64_t work_max = options_.limits.batchable ? rows_max_ : 1;
  while (work < work_max && other_shape_.size() < others_max) {
    QueueEntry* const entry = Pop(from);
    if (entry == nullptr) return;
    if (Status fault = FindFault(*entry, now); !fault.ok()) {
      Refuse(*entry, std::move(fault), taken);
    } else if (!candidates_.empty() &&
               !SameRun(*candidates_.front(), *entry, options_.limits.ragged)) {
      other_shape_.push_back(entry);
    } else if (ragged && rows > 0 && rows + entry->rows > options_.limits.rows_max) {
      PutBack(*entry);
      rows_full_ = true;
      return;
    } else {
      candidates_.push_back(entry);
      rows += entry->rows;
      work += entry->work();
    }
  }
}

void BatchQueue::Choose(TimeNs now, Taken& taken) {
  std::ranges::stable_sort(candidates_, {}, &QueueEntry::deadline);
  by_deadline_.clear();
  for (const QueueEntry* entry : candidates_) {
    by_deadline_.push_back({.rows = entry->work(), .deadline = entry->deadline});
  }
  BatchChoice choice = ChooseBatch(by_deadline_, service_time_,
                                   {.now = now, .rows_max = rows_max_, .more_wait = more_wait_});
  // Nobody is likely to be in time: the latest may be lucky, and the service time is learned.
  if (choice.taken == 0) choice = {.given_up = candidates_.size() - 1, .taken = 1};
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    QueueEntry& entry = *candidates_[i];
    if (i < choice.given_up) {
      ++counts_.refused_late;
      Refuse(entry,
             ResourceExhausted(StrCat("model '", options_.model,
                                      "' is busy: waiting for this deadline would make more "
                                      "others late")),
             taken);
    } else if (i < choice.given_up + choice.taken) {
      taken.batch.push_back(&entry);
      sum_.Add(entry);
    } else {
      PutBack(entry);
    }
  }
  const bool some_left = choice.given_up + choice.taken < candidates_.size();
  const bool full = some_left || rows_full_ || sum_.work() >= rows_max_;
  taken.reason = choice.deadline_bound                ? CloseReason::kDeadline
                 : full || !options_.limits.batchable ? CloseReason::kFull
                 : !other_shape_.empty()              ? CloseReason::kShape
                                                      : CloseReason::kIdle;
}

// Takes the entry in where there is room, and time: nobody in the batch becomes late by it.
bool BatchQueue::TakeIn(QueueEntry& entry, TimeNs now, Taken& taken) {
  BatchSum sum = sum_;
  sum.Add(entry);
  const bool room =
      sum.work() <= rows_max_ && (sum.run_length == 0 || sum.rows <= options_.limits.rows_max);
  const bool in_time =
      sum.deadline == kNever || service_time_.PredictHigh(sum.work()) <= sum.deadline - now;
  if (!room || !in_time) return false;
  taken.batch.push_back(&entry);
  sum_ = sum;
  return true;
}

// Room that is left goes to those of other lengths, where padding costs less than it saves.
void BatchQueue::Join(TimeNs now, Taken& taken) {
  if (options_.limits.ragged == nullptr || taken.reason != CloseReason::kShape) return;
  std::erase_if(other_shape_, [this, now, &taken](QueueEntry* entry) {
    return taken.batch.front()->raw == entry->raw &&
           SameRowShape(taken.batch.front()->inputs, entry->inputs, options_.limits.ragged) &&
           PaddingPays(sum_, *entry, service_time_) && TakeIn(*entry, now, taken);
  });
  if (other_shape_.empty()) taken.reason = CloseReason::kIdle;
}

// Room that is left goes to other priorities.
void BatchQueue::Fill(TimeNs now, Taken& taken) {
  if (taken.reason != CloseReason::kIdle) return;
  for (PriorityClass& priority : classes_) {
    while (QueueEntry* const entry = Pop(priority)) {
      if (SameRun(*taken.batch.front(), *entry, options_.limits.ragged) &&
          TakeIn(*entry, now, taken)) {
        continue;
      }
      PutBack(*entry);
      break;
    }
  }
  if (sum_.work() >= rows_max_) {
    taken.reason = CloseReason::kFull;
  } else if (options_.delay_max > 0) {
    taken.reason = CloseReason::kDelay;
  }
}

}  // namespace penstock
