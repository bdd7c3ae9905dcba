// What the engine's ABI does not tell about a model, read from the .onnx file itself, before the
// engine opens anything: operators whose cost is not known, what inputs leave open, which other
// files the weights lie in. Walks the protobuf and skips the weights. Control thread, at load;
// knows no engine.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/status.h"

namespace penstock {

struct OnnxFacts {
  // The first operator found whose cost depends on the data ("Loop"); empty where there is none.
  std::string data_dependent_operator;
  // Inputs without a declared rank: the engine's ABI shows them as scalars, which they are not.
  std::vector<std::string> inputs_without_shape;
  // Some input has a free dimension that is not its first: what a run costs and the memory it
  // needs are not known from the number of rows.
  bool inner_dims_free = false;
  // "domain:Operator", for operators outside ONNX's and the engine's own domains that the model
  // does not define itself.
  std::set<std::string> custom_operators;
  // Where weights outside the file are said to lie, as the model writes it.
  std::set<std::string> external_locations;
};

// NOT_FOUND or FAILED_PRECONDITION where the file cannot be read, INVALID_ARGUMENT where it is no
// ONNX model or a longer one than protobuf allows. The message names the path: it is for the
// operator.
Result<OnnxFacts> ScanOnnxFile(const std::string& path);

}  // namespace penstock
