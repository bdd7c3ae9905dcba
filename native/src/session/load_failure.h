// What an operator is told when the engine refuses a model: what is missing and what to do, where
// the engine's own words are a stack of C++ names. Pure.
#pragma once

#include <string>
#include <string_view>

#include "session/onnx_scan.h"

namespace penstock {

// A sentence without a full stop, or nothing where the engine's message has to speak for itself.
std::string ExplainLoadFailure(std::string_view engine_message, const OnnxFacts& facts);

}  // namespace penstock
