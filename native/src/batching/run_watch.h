// A thread's runs as the watchdog sees them. What takes far longer than it should is told to end,
// so that one hung run does not cost its thread for ever; a run that fails for that is told apart
// from one that fails by itself. What prepares a batch is not watched: steps of ours are bounded by
// what a request may bring and by their own limits, and one of Python's has a timeout.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "base/watchdog.h"
#include "batching/batch_queue.h"
#include "session/session.h"

namespace penstock {

// PURE. How long a run may take: what is configured, or else a hundred times what is expected, at
// least ten seconds, which no honest run of such a model needs. Where nothing is known (0) there is
// no limit: a model whose first run takes minutes must be able to show it.
TimeNs RunLimit(TimeNs configured, TimeNs expected);

class RunWatch final : public Watched {
 public:
  explicit RunWatch(Watchdog& watchdog) : watchdog_(watchdog) { watchdog.Add(*this); }
  ~RunWatch() { watchdog_.Remove(*this); }
  RunWatch(const RunWatch&) = delete;
  RunWatch& operator=(const RunWatch&) = delete;

  // --- the thread that runs ---

  // `work`: see BatchSum, which the limit follows.
  void Begin(const BatchQueue& queue, std::int64_t rows, std::int64_t work);
  // For the run between Begin and End.
  RunStop* stop() { return stop_.get(); }
  void End() { activity_.End(); }
  // Of the run that ended last, where it failed.
  enum class Cause {
    kItself,
    kToldToEnd,
    kMistake,  // one before it was told to end too late, and this one was struck
  };
  Cause FindCause();

  void Look(TimeNs now, Logger& logger) override;

 private:
  void TellToEnd(std::uint64_t which);

  Watchdog& watchdog_;
  Activity activity_;
  // Of the run under way: written before it begins.
  std::atomic<const BatchQueue*> queue_{nullptr};
  std::atomic<std::int64_t> rows_{0};
  std::atomic<std::int64_t> work_{0};
  std::unique_ptr<RunStop> stop_;  // made for the first run

  ActivityAge age_;  // the watchdog's

  std::mutex mu_;
  std::uint64_t told_ = 0;  // guarded by mu_: the run that was told to end; 0 none since Reset
};

}  // namespace penstock
