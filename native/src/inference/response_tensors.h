// A request's own rows of what its batch produced, as the response names them. The loop's thread.
#pragma once

#include <memory>
#include <vector>

#include "batching/queue_entry.h"
#include "inference/request_tensors.h"
#include "wire/infer_response.h"

namespace penstock {

// The outputs that `asked` wants, in its order; views into `result`, which must be a success.
void CollectOutputs(const ModelVersion& model, const RequestTensors& asked,
                    const BatchResult& result, std::vector<wire::InferOutput>& outputs);

// Of outputs that were collected for `asked`, turns those into classes that are to be answered so.
// Returns what keeps all of them alive.
std::shared_ptr<const void> ClassifyOutputs(const ModelVersion& model, const RequestTensors& asked,
                                            const BatchResult& result,
                                            std::vector<wire::InferOutput>& outputs);

}  // namespace penstock
