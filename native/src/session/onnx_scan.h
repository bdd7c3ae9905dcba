// What the engine's ABI does not tell about a model, read from the .onnx file itself: whether it
// holds control flow, and what its inputs leave open before there is a session to ask. Walks the
// protobuf wire format by hand and skips the weights. Control thread, at load; knows no engine.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"

namespace penstock {

struct OnnxFacts {
  // The first operator found whose cost depends on the data ("Loop"); empty where there is none.
  std::string control_flow_operator;
  // Inputs without a declared rank: the engine's ABI shows them as scalars, which they are not.
  std::vector<std::string> inputs_without_shape;
  // Some input has a free dimension that is not its first: what a run costs and the memory it
  // needs are not known from the number of rows.
  bool inner_dims_free = false;
};

// NOT_FOUND or FAILED_PRECONDITION where the file cannot be read, INVALID_ARGUMENT where it is no
// ONNX model. The message names the path: it is for the operator.
Result<OnnxFacts> ScanOnnxFile(const std::string& path);

}  // namespace penstock
