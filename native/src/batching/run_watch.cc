#include "batching/run_watch.h"

#include <algorithm>

#include "base/strings.h"

namespace penstock {

TimeNs RunLimit(TimeNs configured, TimeNs expected) {
  constexpr TimeNs kLimitMin = 10 * kSecond;
  constexpr TimeNs kTimesExpected = 100;
  if (configured > 0) return configured;
  if (expected <= 0 || expected >= kNever / kTimesExpected) return kNever;
  return std::max(kLimitMin, kTimesExpected * expected);
}

void RunWatch::Begin(const BatchQueue& queue, std::int64_t rows, std::int64_t work) {
  if (stop_ == nullptr) stop_ = queue.session().NewRunStop();
  queue_.store(&queue, std::memory_order_relaxed);
  rows_.store(rows, std::memory_order_relaxed);
  work_.store(work, std::memory_order_relaxed);
  activity_.Begin();
}

RunWatch::Cause RunWatch::FindCause() {
  // The run is over: its number is one before that of the rest that follows.
  const std::uint64_t run = activity_.which() - 1;
  const std::lock_guard<std::mutex> lock(mu_);
  if (told_ == 0) return Cause::kItself;
  stop_->Reset();
  return std::exchange(told_, 0) == run ? Cause::kToldToEnd : Cause::kMistake;
}

void RunWatch::Look(TimeNs now, Logger& logger) {
  const std::uint64_t run = activity_.which();
  const TimeNs age = age_.Look(run, now);
  if (!Activity::UnderWay(run)) return;
  const BatchQueue& queue = *queue_.load(std::memory_order_relaxed);
  const std::int64_t rows = rows_.load(std::memory_order_relaxed);
  const std::int64_t work = work_.load(std::memory_order_relaxed);
  // Of the next run already.
  if (activity_.which() != run || stop_ == nullptr) return;
  if (queue.ending()) return TellToEnd(run);
  const TimeNs limit = RunLimit(queue.run_timeout(), queue.service_time().Predict(work));
  if (age < limit || !age_.TellOnce()) return;
  // First: whoever gets the answer of the run may ask for the count at once.
  queue.NoteTerminated();
  TellToEnd(run);
  logger.Warning("a run takes too long and is told to end",
                 {{"model", queue.model()},
                  {"version", StrCat(queue.version())},
                  {"rows", StrCat(rows)},
                  {"ran_ms", StrCat(age / kMillisecond)},
                  {"limit_ms", StrCat(limit / kMillisecond)}});
}

void RunWatch::TellToEnd(std::uint64_t which) {
  const std::lock_guard<std::mutex> lock(mu_);
  // It may have ended meanwhile, and may end still: FindCause sorts that out.
  if (activity_.which() != which) return;
  told_ = which;
  stop_->Terminate();
}

}  // namespace penstock
