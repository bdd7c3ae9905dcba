// Runs one batch: gathers its rows, runs the session, hands each entry its rows of the outputs. One
// per thread that runs batches; owns that thread's scratch memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "batching/gather.h"
#include "batching/queue_entry.h"
#include "batching/run_watch.h"
#include "pipeline/pipeline.h"
#include "tensor/arena.h"

namespace penstock {

class BatchRunner final {
 public:
  BatchRunner(const Clock& clock, Watchdog& watchdog) : clock_(clock), watch_(watchdog) {}

  // Fills every entry's result. A batch that fails is run again in halves, down to the rows that
  // make it fail: these fail alone. So does an entry that cannot be prepared. Where the failure is
  // final, as that of a run that took too long, all fail with it. True: all that could be
  // prepared ran in one piece, which tells how long such a run takes.
  bool Run(BatchQueue& queue, std::span<QueueEntry* const> batch) {
    prepared_at_ = lost_ = 0;
    return queue.pipeline() == nullptr ? RunHalving(queue, batch) : RunPrepared(queue, batch);
  }
  // When the entries of the last Run had been prepared; 0 where there was nothing to be done.
  TimeNs prepared_at() const { return prepared_at_; }
  // Of what ran last, as BatchSum::work counts it.
  std::int64_t work() const { return ran_work_; }
  // Of the last Run's time, what entries took that could not be prepared.
  TimeNs lost() const { return lost_; }

 private:
  bool RunPrepared(BatchQueue& queue, std::span<QueueEntry* const> batch);
  bool Prepare(const BatchQueue& queue, std::span<QueueEntry* const> batch);
  enum class Together : std::uint8_t { kNotTried, kDone, kFailed };
  Result<Together> PrepareTogether(const BatchQueue& queue, std::span<QueueEntry* const> batch);
  static bool TakePrepared(const BatchQueue& queue, std::span<const TensorView> views,
                           QueueEntry& entry);
  std::size_t PutLikeFirst(std::span<QueueEntry*> entries, const Ragged* ragged);
  bool RunHalving(BatchQueue& queue, std::span<QueueEntry* const> batch);
  Gathered Gather(const BatchQueue& queue, std::span<QueueEntry* const> batch);
  Status RunTogether(BatchQueue& queue, std::span<QueueEntry* const> batch);
  Result<std::unique_ptr<SessionOutputs>> RunWatched(BatchQueue& queue,
                                                     std::span<const TensorView> inputs,
                                                     const BatchSum& sum);

  const Clock& clock_;
  // Of a model with a pipeline: what its entries became, those that are left to run, and the
  // memory.
  std::vector<TensorView> prepared_;
  std::vector<TensorView> prepared_batch_;
  std::vector<QueueEntry*> ready_;
  std::vector<QueueEntry*> others_;
  PipelineWork work_;
  TimeNs prepared_at_ = 0;
  TimeNs lost_ = 0;
  std::int64_t ran_work_ = 0;
  std::vector<std::span<const TensorView>> members_;
  Gatherer gatherer_;
  TensorArena arena_;  // of one run's tensors
  RunWatch watch_;
};

}  // namespace penstock
