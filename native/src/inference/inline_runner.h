// The batches that a loop runs itself: what one turn brought for a model whose runs are short, run
// in place at the end of the turn. What does not fit in the turn goes to the scheduler. The loop's
// thread only.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "batching/batch_runner.h"
#include "batching/run_place.h"
#include "batching/scheduler.h"
#include "inference/turn_pacing.h"
#include "metrics/catalogue.h"
#include "model/model_table.h"

namespace penstock {

// A loop computes this long in a turn at most, so that its other connections never wait long.
inline constexpr TimeNs kInlineBudget = 250 * kMicrosecond;
// PURE. But at least as long as the turn has taken so far: where reading takes longer than that, a
// turn no more than doubles, and handing over what is left would cost more than running it.
constexpr TimeNs InlineBudget(TimeNs turn_so_far) {
  return std::max(kInlineBudget, turn_so_far);
}

class InlineRunner final {
 public:
  struct Resources {
    const ModelTable& models;
    Scheduler& scheduler;
    const Clock& clock;
    Watchdog& watchdog;
    Logger& logger;
    std::size_t loop_index = 0;
    metrics::Cells& cells;  // the loop's own
  };
  explicit InlineRunner(const Resources& resources);
  // Every entry must have been delivered or removed.
  ~InlineRunner() = default;

  // The entry is run, and delivered, at the end of this turn or later.
  void Enqueue(const ModelVersion& model, QueueEntry& entry);
  // True: the entry will not be delivered. False: it will.
  bool Remove(const ModelVersion& model, QueueEntry& entry);
  // OK, or why `entry` would be refused if it came now.
  Status Foresee(const ModelVersion& model, QueueEntry& entry);
  // At the end of the turn that began at `began`. Delivers what it runs, and what the scheduler has
  // no room for. Returns the time then, 0 where the turn brought nothing.
  TimeNs RunTurn(TimeNs began);
  // Since it was last asked for.
  TurnOutcome TakeOutcome() { return std::exchange(outcome_, {}); }

 private:
  struct Pending {
    const ModelVersion* model = nullptr;
    EntryList entries;
    RunPlace place;
  };
  // What is left of a turn's time for running models.
  struct Budget {
    TimeNs whole = 0;
    TimeNs left = 0;
  };

  void Place(Pending& pending, TimeNs now);
  // `now` is the time, before and after.
  void RunInline(Pending& pending, TimeNs& now, Budget& budget);
  void HandOver(Pending& pending);

  Scheduler& scheduler_;
  const Clock& clock_;
  Logger& logger_;
  const std::size_t loop_index_;
  metrics::Cells& cells_;
  std::vector<Pending> pending_;      // by ModelVersion::index
  std::vector<std::size_t> touched_;  // indices with entries
  std::vector<std::size_t> turn_;     // of the turn being run
  BatchRunner runner_;
  std::vector<QueueEntry*> batch_;
  TurnOutcome outcome_;
};

}  // namespace penstock
