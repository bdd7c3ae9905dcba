// The parameters of a ModelInferRequest, its inputs and its outputs: which mean something, which
// are reserved, which are not served here; all others are the model's own business and pass. One
// map entry at a time, as encoded; they throw what protozero throws, which DecodeInferRequest
// catches.
#pragma once

#include <string_view>

#include "base/status.h"
#include "wire/infer_request.h"

namespace penstock::wire {

// `priority` and `timeout` go to the request. Of the sequence parameters only the types are looked
// at: an ONNX model keeps nothing between runs, so a sequence is answered like any other requests.
// INVALID_ARGUMENT for a reserved name, or a known one with a value that it cannot have.
Status ReadRequestParameter(std::string_view entry, InferRequest& request);

// UNIMPLEMENTED for shared memory.
Status CheckInputParameter(std::string_view entry, std::string_view name);
// The same, of the output that was requested last; its `classification` goes to the request,
// INVALID_ARGUMENT where it is no count.
Status ReadOutputParameter(std::string_view entry, InferRequest& request);

}  // namespace penstock::wire
