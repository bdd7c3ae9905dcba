// A model version over a fake engine whose runs take what a test says on a manual clock.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "model/model_version.h"
#include "support/fake_session.h"
#include "support/manual_clock.h"

namespace penstock {

inline TensorSpec FloatSpec(const std::string& name, const Shape& shape) {
  return {.name = name,
          .dtype = DataType::kFp32,
          .shape = shape,
          .first_dim_symbolic = shape.rank() > 0 && shape[0] < 0};
}

// Returns each input as the output of the same place, after `base + per_row * rows`.
inline FakeSession::Compute EchoAll(ManualClock& clock, TimeNs base, TimeNs per_row) {
  return [&clock, base, per_row](std::span<const TensorView> inputs, FakeOutputs& outputs) {
    clock.Advance(base + per_row * (inputs[0].shape.rank() > 0 ? inputs[0].shape[0] : 1));
    for (const TensorView& input : inputs) outputs.Add(input.dtype, input.shape, input.data);
    return Status();
  };
}

inline std::unique_ptr<ModelVersion> MakeModel(const ModelConfig& config,
                                               std::unique_ptr<Session> session,
                                               const Clock& clock) {
  Result<std::unique_ptr<ModelVersion>> model =
      ModelVersion::Create(config, std::move(session), clock);
  CHECK(model.ok());
  return std::move(model).value();
}

}  // namespace penstock
