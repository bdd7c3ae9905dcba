// What a model declares for its inputs and outputs, read from the engine; and the engine's element
// types in our words. Control thread, at load.
#pragma once

#include <vector>

#include "base/status.h"
#include "session/ort_abi.h"
#include "tensor/tensor.h"

namespace penstock {

// kInvalid for complex and whatever the engine adds.
DataType DataTypeFromElementType(int element_type);
// kElementUndefined for kInvalid.
int ElementTypeFromDataType(DataType type);

// FAILED_PRECONDITION, naming the tensor, where one cannot be served.
Result<std::vector<TensorSpec>> ReadInputSpecs(const ort_abi::Api& api,
                                               const ort_abi::Session* session);
Result<std::vector<TensorSpec>> ReadOutputSpecs(const ort_abi::Api& api,
                                                const ort_abi::Session* session);

}  // namespace penstock
