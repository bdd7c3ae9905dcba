// PURE. Holds a decoded request against what the model declares: which bytes are which input, and
// is everything as the model needs it. Every rule that a request can break has its sentence here.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "model/model_version.h"
#include "tensor/tensor.h"
#include "wire/infer_request.h"

namespace penstock {

struct RequestTensors {
  std::vector<TensorView> inputs;    // in the model's order, viewing the request's message
  std::int64_t rows = 1;             // the first dimension, where the model is batchable
  std::vector<std::size_t> outputs;  // indices of what is to be answered, in that order

  void Clear();
};

// INVALID_ARGUMENT with what was wrong, what was expected and where.
Status BindRequest(const wire::InferRequest& request, const ModelVersion& model,
                   RequestTensors& tensors);

}  // namespace penstock
