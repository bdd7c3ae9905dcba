// Batches on their way to the thread of Python's that computes them, and back. Any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <penstock/python_step.h>

#include "base/clock.h"
#include "base/status.h"
#include "preprocess/transform.h"

namespace penstock::preprocess {

// One step of a declaration, shared by its transform and the batches that it sends.
struct PythonStep {
  // Constant.
  std::size_t id = 0;
  std::vector<TransformPort> inputs;
  std::vector<TransformPort> outputs;
  TimeNs timeout = 0;
  // Guarded by the queue's mutex.
  bool ended = false;  // nobody waits for it any more
  Transform::Delegated delegated;
};

class PythonQueue final : public std::enable_shared_from_this<PythonQueue> {
 public:
  // Where a transform's run reads and writes: its own until RunAndWait returns.
  struct Run {
    std::span<const TensorView> inputs;
    std::int64_t rows = 0;
    TensorArena* arena = nullptr;
    std::span<TensorView> outputs;
  };

  std::shared_ptr<PythonStep> AddStep(PythonStep step);
  // Puts it into the queue and waits until it is computed: OK, or why it is not.
  Status RunAndWait(const std::shared_ptr<PythonStep>& step, const Run& run);
  void EndRuns(PythonStep& step);
  Transform::Delegated DelegatedOf(const PythonStep& step);
  // Null once closed.
  std::shared_ptr<PythonBatch> Pull();
  void Close();

 private:
  class Batch;
  enum class State : std::uint8_t { kWaiting, kPulled, kDone, kGivenUp };

  // With the mutex held.
  Status GiveUp(Batch& batch, Status why);

  const SteadyClock clock_;
  std::mutex mu_;
  std::condition_variable work_;  // for who pulls
  std::condition_variable done_;  // for who waits
  // Guarded by mu_.
  std::deque<std::shared_ptr<Batch>> waiting_;
  std::size_t steps_ = 0;
  bool closed_ = false;
  // A batch that was pulled took too long and is not back: nobody waits behind it.
  bool stuck_ = false;
};

}  // namespace penstock::preprocess
