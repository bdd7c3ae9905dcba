// Runs one batch: gathers its rows, runs the session, hands each entry its rows of the outputs. One
// per thread that runs batches; owns that thread's scratch memory.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "batching/gather.h"
#include "batching/queue_entry.h"
#include "batching/run_watch.h"
#include "tensor/arena.h"

namespace penstock {

class BatchRunner final {
 public:
  explicit BatchRunner(Watchdog& watchdog) : watch_(watchdog) {}

  // Fills every entry's result. A batch that fails is run again in halves, down to the rows that
  // make it fail: these fail alone. One that took too long fails whole: it has had its time. True:
  // it ran in one piece.
  bool Run(BatchQueue& queue, std::span<QueueEntry* const> batch);

 private:
  Gathered Gather(const BatchQueue& queue, std::span<QueueEntry* const> batch);
  Status RunTogether(BatchQueue& queue, std::span<QueueEntry* const> batch);
  Result<std::unique_ptr<SessionOutputs>> RunWatched(BatchQueue& queue,
                                                     std::span<const TensorView> inputs,
                                                     const BatchSum& sum);

  std::vector<std::span<const TensorView>> members_;
  Gatherer gatherer_;
  TensorArena arena_;  // of one run's tensors
  RunWatch watch_;
  bool told_to_end_ = false;  // the last run
};

}  // namespace penstock
