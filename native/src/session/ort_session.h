// A model in ONNX Runtime behind the engine contract of session.h. Immutable once made, so Run may
// be called by several threads at once. Knows nothing of batches, requests or files.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "session/ort_abi.h"
#include "session/ort_handle.h"
#include "session/ort_value.h"
#include "session/session.h"

namespace penstock {

class OrtSession final : public Session {
 public:
  // `api` and `cpu_memory` belong to the OrtRuntime, which outlives the session.
  // FAILED_PRECONDITION, naming the input or output, where the model has one that is no tensor and
  // has no one form as tensors, or that has more than Shape::kRankMax dimensions.
  static Result<std::unique_ptr<OrtSession>> Create(const ort_abi::Api& api,
                                                    const ort_abi::MemoryInfo* cpu_memory,
                                                    OrtHandle<ort_abi::Session> session,
                                                    std::string data_dependent_operator);

  std::span<const TensorSpec> inputs() const override { return inputs_; }
  std::span<const TensorSpec> outputs() const override { return outputs_; }
  std::string_view data_dependent_operator() const override { return data_dependent_operator_; }
  using Session::Run;
  Result<std::unique_ptr<SessionOutputs>> Run(std::span<const TensorView> inputs,
                                              RunStop* stop) override;
  std::unique_ptr<RunStop> NewRunStop() override;

 private:
  OrtSession(const ort_abi::Api& api, const ort_abi::MemoryInfo* cpu_memory,
             OrtHandle<ort_abi::Session> session, std::string data_dependent_operator)
      : api_(api),
        cpu_memory_(cpu_memory),
        session_(std::move(session)),
        data_dependent_operator_(std::move(data_dependent_operator)) {}

  Status ReadSpecs();
  Status CreateInput(const TensorView& view, ort_abi::Value** value) const;
  Status CreateStrings(const TensorView& view, ort_abi::Value** value) const;

  // All constant after Create.
  const ort_abi::Api& api_;
  const ort_abi::MemoryInfo* const cpu_memory_;
  const OrtHandle<ort_abi::Session> session_;
  const std::string data_dependent_operator_;
  // Of the library; what has no memory of ours lives there.
  ort_abi::Allocator* allocator_ = nullptr;
  // Shared by all runs that nothing ends.
  OrtHandle<ort_abi::RunOptions> run_options_{nullptr, nullptr};
  std::vector<TensorSpec> inputs_;
  // What is served, and what the engine gives for it.
  std::vector<TensorSpec> outputs_;
  std::vector<ValueSpec> values_;
  bool only_numbers_ = false;
  // Point into inputs_ and values_, which no longer change.
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
};

}  // namespace penstock
