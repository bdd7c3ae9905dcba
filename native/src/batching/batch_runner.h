// Runs one batch: gathers its rows, runs the session, hands each entry its rows of the outputs. One
// per thread that runs batches; owns that thread's scratch memory.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "batching/queue_entry.h"
#include "batching/run_watch.h"

namespace penstock {

class BatchRunner final {
 public:
  explicit BatchRunner(Watchdog& watchdog) : watch_(watchdog) {}

  // Fills every entry's result. A batch that fails is run again in halves, down to the rows that
  // make it fail: these fail alone. One that took too long fails whole: it has had its time. True:
  // it ran in one piece.
  bool Run(BatchQueue& queue, std::span<QueueEntry* const> batch);

 private:
  // 64-byte aligned memory that only grows.
  class Scratch final {
   public:
    std::span<std::byte> Get(std::size_t size);

   private:
    struct Free {
      void operator()(std::byte* memory) const;
    };
    std::unique_ptr<std::byte[], Free> memory_;
    std::size_t capacity_ = 0;
  };

  std::span<const TensorView> Gather(std::span<QueueEntry* const> batch);
  Status RunTogether(BatchQueue& queue, std::span<QueueEntry* const> batch);
  Result<std::unique_ptr<SessionOutputs>> RunWatched(BatchQueue& queue,
                                                     std::span<const TensorView> inputs,
                                                     std::int64_t rows);

  std::vector<TensorView> inputs_;
  std::vector<Scratch> scratch_;  // one for each input
  RunWatch watch_;
  bool told_to_end_ = false;  // the last run
};

}  // namespace penstock
