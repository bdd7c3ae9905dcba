// The compute threads' work: take a batch, run it, post the results home. Any number of threads.
#pragma once

#include <span>

#include "base/mailbox.h"
#include "batching/batch_runner.h"
#include "batching/scheduler.h"

namespace penstock {

// Posts every entry to its home loop, one post for each loop. The entries are gone afterwards.
void PostHome(std::span<QueueEntry* const> entries);

// One thread's worth: takes, runs and posts one batch. False: the scheduler is closed.
class BatchWorker final {
 public:
  BatchWorker(Scheduler& scheduler, const Clock& clock) : scheduler_(scheduler), clock_(clock) {}
  bool WorkOnce();

 private:
  void RunBatch();

  Scheduler& scheduler_;
  const Clock& clock_;
  BatchRunner runner_;
  Scheduler::Taken taken_;
};

}  // namespace penstock
