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
  virtual Result<std::unique_ptr<SessionOutputs>> Run(std::span<const TensorView> inputs) = 0;

  // Makes every run, under way or yet to come, fail as soon as the engine looks up from its work:
  // for a server that must end. Any thread.
  virtual void Terminate() = 0;
};

}  // namespace penstock
