// penstock::PythonSteps, and the transform whose batches a function of Python's computes.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <penstock/python_step.h>

#include "base/strings.h"
#include "preprocess/python/python_queue.h"

namespace penstock {
namespace {

using preprocess::PythonQueue;
using preprocess::PythonStep;

class PythonTransform final : public Transform {
 public:
  PythonTransform(std::shared_ptr<PythonQueue> queue, std::shared_ptr<PythonStep> step)
      : queue_(std::move(queue)), step_(std::move(step)) {}

  std::span<const TransformPort> inputs() const override { return step_->inputs; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    for (const TransformPort& input : inputs) {
      if (input.dtype != DataType::kBf16) continue;
      return InvalidArgument("it is given BF16, which NumPy does not have");
    }
    return step_->outputs;
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    return queue_->RunAndWait(
        step_, {.inputs = inputs, .rows = rows, .arena = &arena, .outputs = outputs});
  }
  bool brief() const override { return false; }
  bool shares_runs() const override { return true; }
  void EndRuns() const override { queue_->EndRuns(*step_); }
  Delegated delegated() const override { return queue_->DelegatedOf(*step_); }

 private:
  const std::shared_ptr<PythonQueue> queue_;
  const std::shared_ptr<PythonStep> step_;
};

std::optional<std::vector<TransformPort>> PortsOf(const std::vector<PythonStepSpec::Port>& given,
                                                  std::string_view key, std::string* message) {
  std::vector<TransformPort> ports;
  for (const PythonStepSpec::Port& port : given) {
    const std::string where = StrCat(key, "[", ports.size(), "]");
    const DataType dtype = DataTypeFromName(port.datatype);
    if (dtype == DataType::kInvalid || dtype == DataType::kBf16) {
      *message = StrCat(where, ".datatype: '", port.datatype,
                        "': expected one of the protocol's, such as FP32, and not BF16, which "
                        "NumPy does not have");
      return std::nullopt;
    }
    if (port.row_shape.size() >= Shape::kRankMax) {
      *message = StrCat(where, ".shape: more than ", Shape::kRankMax - 1, " dimensions in a row");
      return std::nullopt;
    }
    TransformPort& made = ports.emplace_back();
    made.dtype = dtype;
    for (const std::int64_t dim : port.row_shape) made.row_shape.Append(dim);
  }
  return ports;
}

}  // namespace

PythonSteps::PythonSteps() : queue_(std::make_shared<PythonQueue>()) {}
PythonSteps::~PythonSteps() {
  Close();
}

std::shared_ptr<const Transform> PythonSteps::MakeTransform(const PythonStepSpec& spec,
                                                            std::size_t* step,
                                                            std::string* message) {
  std::optional<std::vector<TransformPort>> inputs = PortsOf(spec.inputs, "inputs", message);
  if (!inputs.has_value()) return nullptr;
  std::optional<std::vector<TransformPort>> outputs = PortsOf(spec.outputs, "outputs", message);
  if (!outputs.has_value()) return nullptr;
  std::shared_ptr<PythonStep> added = queue_->AddStep({.inputs = std::move(*inputs),
                                                       .outputs = std::move(*outputs),
                                                       .timeout = spec.timeout_ms * kMillisecond});
  *step = added->id;
  return std::make_shared<PythonTransform>(queue_, std::move(added));
}

std::shared_ptr<PythonBatch> PythonSteps::Pull() {
  return queue_->Pull();
}

void PythonSteps::Close() {
  queue_->Close();
}

}  // namespace penstock
