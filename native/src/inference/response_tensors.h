// PURE. A request's own rows of what its batch produced, as the response names them.
#pragma once

#include <vector>

#include "batching/queue_entry.h"
#include "inference/request_tensors.h"
#include "wire/infer_response.h"

namespace penstock {

// The outputs that `asked` wants, in its order; views into `result`, which must be a success.
void CollectOutputs(const ModelVersion& model, const RequestTensors& asked,
                    const BatchResult& result, std::vector<wire::InferOutput>& outputs);

}  // namespace penstock
