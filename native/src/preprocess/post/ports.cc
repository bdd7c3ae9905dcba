#include "preprocess/post/ports.h"

#include "base/strings.h"
#include "preprocess/post/floats.h"

namespace penstock::preprocess {

std::string Describe(const TransformPort& port) {
  return StrCat(DataTypeName(port.dtype), " ", port.row_shape.ToString());
}

Status ExpectOne(std::span<const TransformPort> inputs) {
  if (inputs.size() == 1) return {};
  return InvalidArgument(StrCat("it takes one tensor, and is given ", inputs.size()));
}

Status ExpectFloats(std::span<const TransformPort> inputs) {
  RETURN_IF_ERROR(ExpectOne(inputs));
  if (IsFloat(inputs[0].dtype)) return {};
  return InvalidArgument(
      StrCat("it takes FP16, FP32 or FP64, and is given ", DataTypeName(inputs[0].dtype)));
}

Status ExpectFloatRows(std::span<const TransformPort> inputs) {
  RETURN_IF_ERROR(ExpectFloats(inputs));
  if (inputs[0].row_shape.rank() > 0) return {};
  return InvalidArgument("it works along the last dimension, and is given one number for each row");
}

Shape WithoutLast(const Shape& shape) {
  Shape shorter;
  for (std::size_t i = 0; i + 1 < shape.rank(); ++i) shorter.Append(shape[i]);
  return shorter;
}

}  // namespace penstock::preprocess
