// What a model declares for its inputs and outputs, read from the engine; and the engine's element
// types in our words. Control thread, at load.
#pragma once

#include <vector>

#include "base/status.h"
#include "session/ort_abi.h"
#include "session/ort_value.h"
#include "tensor/tensor.h"

namespace penstock {

// kInvalid for complex and whatever the engine adds.
DataType DataTypeFromElementType(int element_type);
// kElementUndefined for kInvalid.
int ElementTypeFromDataType(DataType type);

// FAILED_PRECONDITION, naming input or output and the reason, where one cannot be served.
Result<std::vector<TensorSpec>> ReadInputSpecs(const ort_abi::Api& api,
                                               const ort_abi::Session* session);
// What the engine gives; appends the tensors that are served for it to `served`.
Result<std::vector<ValueSpec>> ReadOutputSpecs(const ort_abi::Api& api,
                                               const ort_abi::Session* session,
                                               std::vector<TensorSpec>& served);

}  // namespace penstock
