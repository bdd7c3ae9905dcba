#include "preprocess/python/python_queue.h"

#include <chrono>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace penstock::preprocess {
namespace {

Status Stopped() {
  return Unavailable("the server stops, and a Python step had not ended");
}

// Whether `shape` is `rows` rows of what `port` declares.
bool Fits(const Shape& shape, std::int64_t rows, const TransformPort& port) {
  if (shape.rank() != port.row_shape.rank() + 1 || shape[0] != rows) return false;
  for (std::size_t i = 1; i < shape.rank(); ++i) {
    if (port.row_shape[i - 1] >= 0 && shape[i] != port.row_shape[i - 1]) return false;
  }
  return true;
}

}  // namespace

// waiting -> pulled -> done; from each of the first two to given up, when who sent it stops
// waiting. Guarded by the queue's mutex, but for what is constant from the pull on.
class PythonQueue::Batch final : public PythonBatch {
 public:
  Batch(std::shared_ptr<PythonQueue> queue, std::shared_ptr<PythonStep> step, const Run& run)
      : queue_(std::move(queue)), step_(std::move(step)), run_(run) {}

  std::size_t step() const override { return step_->id; }
  std::span<const EngineTensor> inputs() const override { return inputs_; }

  bool Finish(std::span<const EngineTensor> outputs, std::string* message) override {
    const std::lock_guard lock(queue_->mu_);
    if (state_ == State::kPulled) {
      *message = TakeOutputs(outputs);
      if (!message->empty()) {
        End(Internal("a Python step of the model returned what it does not declare"));
        return false;
      }
    }
    End({});
    return true;
  }
  void Fail(int code, std::string message) override {
    const std::lock_guard lock(queue_->mu_);
    End({static_cast<StatusCode>(code), std::move(message)});
  }

 private:
  friend class PythonQueue;

  // Copies what it is computed from: who sent it may give it up.
  void Pulled() {
    state_ = State::kPulled;
    pulled_at_ = queue_->clock_.Now();
    inputs_.resize(run_.inputs.size());
    shapes_.resize(run_.inputs.size());
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      const TensorView& input = run_.inputs[i];
      const std::span<std::byte> copy = memory_.Get(input.data.size());
      if (!copy.empty()) std::memcpy(copy.data(), input.data.data(), copy.size());
      shapes_[i] = input.shape;
      inputs_[i] = {.name = {},
                    .datatype = DataTypeName(input.dtype),
                    .shape = shapes_[i].dims(),
                    .data = copy};
    }
  }

  void End(Status status) {
    queue_->stuck_ = false;
    if (state_ == State::kPulled) {
      state_ = State::kDone;
      status_ = std::move(status);
      ++step_->delegated.runs;
      step_->delegated.time += queue_->clock_.Now() - pulled_at_;
    }
    queue_->done_.notify_all();
  }

  // Empty, or what is wrong with them.
  std::string TakeOutputs(std::span<const EngineTensor> outputs) {
    const std::vector<TransformPort>& ports = step_->outputs;
    if (outputs.size() != ports.size()) {
      return StrCat("it returned ", outputs.size(), " arrays, and declares ", ports.size());
    }
    for (std::size_t i = 0; i < ports.size(); ++i) {
      const DataType dtype = DataTypeFromName(outputs[i].datatype);
      Shape shape;
      if (outputs[i].shape.size() > Shape::kRankMax) {
        return StrCat("output ", i, " has more than ", Shape::kRankMax, " dimensions");
      }
      for (const std::int64_t dim : outputs[i].shape) shape.Append(dim);
      if (dtype != ports[i].dtype || !Fits(shape, run_.rows, ports[i])) {
        Shape declared = {run_.rows};
        for (const std::int64_t dim : ports[i].row_shape.dims()) declared.Append(dim);
        return StrCat("output ", i, " is ", outputs[i].datatype, " ", shape.ToString(),
                      ", and declared as ", DataTypeName(ports[i].dtype), " ", declared.ToString());
      }
      const std::span<std::byte> copy = run_.arena->Get(outputs[i].data.size());
      if (!copy.empty()) std::memcpy(copy.data(), outputs[i].data.data(), copy.size());
      run_.outputs[i] = {.dtype = dtype, .shape = shape, .data = copy};
    }
    return {};
  }

  const std::shared_ptr<PythonQueue> queue_;
  const std::shared_ptr<PythonStep> step_;
  const Run run_;  // not to be touched once it is done or given up
  State state_ = State::kWaiting;
  Status status_;
  TimeNs pulled_at_ = 0;
  // Constant from the pull on.
  TensorArena memory_;
  std::vector<Shape> shapes_;
  std::vector<EngineTensor> inputs_;
};

std::shared_ptr<PythonStep> PythonQueue::AddStep(PythonStep step) {
  const std::lock_guard lock(mu_);
  step.id = steps_++;
  return std::make_shared<PythonStep>(std::move(step));
}

Status PythonQueue::RunAndWait(const std::shared_ptr<PythonStep>& step, const Run& run) {
  const auto batch = std::make_shared<Batch>(shared_from_this(), step, run);
  const TimeNs deadline = clock_.Now() + step->timeout;
  std::unique_lock lock(mu_);
  if (!closed_ && !step->ended && !stuck_) {
    waiting_.push_back(batch);
    work_.notify_one();
  }
  while (batch->state_ != State::kDone) {
    if (closed_ || step->ended) return GiveUp(*batch, Stopped());
    if (stuck_ && batch->state_ == State::kWaiting) {
      return GiveUp(*batch, Internal("a Python step of the model waits behind one that does not "
                                     "end"));
    }
    const TimeNs left = deadline - clock_.Now();
    if (left <= 0) {
      stuck_ = stuck_ || batch->state_ == State::kPulled;
      return GiveUp(*batch, Internal(StrCat("a Python step of the model took longer than it may, ",
                                            step->timeout / kMillisecond, " ms (timeout_ms)")));
    }
    done_.wait_for(lock, std::chrono::nanoseconds(left));
  }
  return std::move(batch->status_);
}

Status PythonQueue::GiveUp(Batch& batch, Status why) {
  std::erase_if(waiting_,
                [&batch](const std::shared_ptr<Batch>& other) { return other.get() == &batch; });
  batch.state_ = State::kGivenUp;
  // Those behind it look whether they are to wait any longer.
  done_.notify_all();
  return std::move(why).AsFinal();
}

void PythonQueue::EndRuns(PythonStep& step) {
  const std::lock_guard lock(mu_);
  step.ended = true;
  done_.notify_all();
}

Transform::Delegated PythonQueue::DelegatedOf(const PythonStep& step) {
  const std::lock_guard lock(mu_);
  return step.delegated;
}

std::shared_ptr<PythonBatch> PythonQueue::Pull() {
  std::unique_lock lock(mu_);
  work_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
  if (closed_) return nullptr;
  std::shared_ptr<Batch> batch = std::move(waiting_.front());
  waiting_.pop_front();
  batch->Pulled();
  return batch;
}

void PythonQueue::Close() {
  const std::lock_guard lock(mu_);
  closed_ = true;
  work_.notify_all();
  done_.notify_all();
}

}  // namespace penstock::preprocess
