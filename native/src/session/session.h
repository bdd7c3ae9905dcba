// The engine contract, on one screen: everything the server asks of an inference engine.
// ort_session.h implements it over ONNX Runtime; tests/support/fake_session.h by hand.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/status.h"
#include "tensor/tensor.h"

namespace penstock {

// What one Run produced, in the order of Session::outputs(). Owns the memory under its views;
// destroyed on any thread, before its session.
class SessionOutputs {
 public:
  virtual ~SessionOutputs() = default;
  virtual std::span<const TensorView> tensors() const = 0;
  // Of a BYTES output: where each element's length stands in its data, and the data's end, so one
  // more than it has elements. Rows are told apart by it (batching/output_rows.h).
  virtual std::span<const std::size_t> element_offsets(std::size_t index) const = 0;
};

// Ends runs from outside while they are under way. Whoever runs has one of its own; it serves every
// session of its engine, one run at a time.
class RunStop {
 public:
  virtual ~RunStop() = default;
  // The run under way fails as soon as the engine looks up from its work, and so does every later
  // one until Reset. Any thread.
  virtual void Terminate() = 0;
  // Between runs.
  virtual void Reset() = 0;
};

class Session {
 public:
  virtual ~Session() = default;

  // Fixed for the session's life.
  virtual std::span<const TensorSpec> inputs() const = 0;
  virtual std::span<const TensorSpec> outputs() const = 0;
  // An operator in the graph whose cost depends on the data ("Loop"); empty where there is none.
  virtual std::string_view data_dependent_operator() const = 0;

  // Computes all outputs from one tensor for each of inputs(), in that order, each matching its
  // spec's dtype and rank, BYTES in the checked form of tensor/bytes.h, as BYTES outputs are. The
  // bytes are only read, and only until Run returns. Blocks for as long as the model takes; may be
  // called by several threads at once; never throws. A failure of the model itself is
  // INVALID_ARGUMENT where the engine blames the input, else INTERNAL; its message holds no path.
  // `stop` may be null: nothing will end the run then.
  virtual Result<std::unique_ptr<SessionOutputs>> Run(std::span<const TensorView> inputs,
                                                      RunStop* stop) = 0;
  Result<std::unique_ptr<SessionOutputs>> Run(std::span<const TensorView> inputs) {
    return Run(inputs, nullptr);
  }

  // Null where the engine has no memory for it.
  virtual std::unique_ptr<RunStop> NewRunStop() = 0;
};

}  // namespace penstock
