// What steps behind a model ask of the tensors they are given, and how they say no. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"
#include "preprocess/transform.h"

namespace penstock::preprocess {

// "FP32 [-1,384]".
std::string Describe(const TransformPort& port);

// One tensor of FP16, FP32 or FP64.
Status ExpectFloats(std::span<const TransformPort> inputs);
// The same, with at least one dimension behind the batch's.
Status ExpectFloatRows(std::span<const TransformPort> inputs);
Status ExpectOne(std::span<const TransformPort> inputs);

// `shape` without its last dimension.
Shape WithoutLast(const Shape& shape);
inline std::int64_t LastOf(const Shape& shape) {
  return shape[shape.rank() - 1];
}

}  // namespace penstock::preprocess
