// The compute threads' work: take a batch, run it, post the results home. Any number of threads.
#pragma once

#include <cstdint>
#include <span>

#include "base/mailbox.h"
#include "batching/batch_runner.h"
#include "batching/scheduler.h"

namespace penstock {

// Posts every entry to its home loop, one post for each loop. The entries are gone afterwards.
void PostHome(std::span<QueueEntry* const> entries);

// Runs a batch that began at `began`, notes its times in every result and teaches the queue how
// long it took. Returns when it ended.
TimeNs RunObserved(BatchRunner& runner, BatchQueue& queue, std::span<QueueEntry* const> batch,
                   TimeNs began, const Clock& clock);

// One thread's worth of running batches.
class BatchWorker final {
 public:
  BatchWorker(Scheduler& scheduler, const Clock& clock, Watchdog& watchdog)
      : scheduler_(scheduler), clock_(clock), runner_(clock, watchdog) {}

  // Takes, runs and posts one batch; blocks until there is one. False: the scheduler is closed.
  bool WorkOnce();
  // Runs the caller's own entry where it stands, posting nothing. False: there is no free instance,
  // or others wait for one, and nothing has happened.
  bool TryRun(BatchQueue& queue, QueueEntry& entry);
  // The same without asking, for runs so short that they need no permit.
  void RunUnasked(BatchQueue& queue, QueueEntry& entry);

 private:
  void RunBatch();

  Scheduler& scheduler_;
  const Clock& clock_;
  BatchRunner runner_;
  Scheduler::Taken taken_;
  std::uint32_t unasked_ = 0;
};

}  // namespace penstock
