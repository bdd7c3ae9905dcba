#include "batching/unpadded_outputs.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace penstock {
namespace {

bool Follows(std::uint32_t axes, std::size_t axis) {
  return (axes >> axis & 1) != 0;
}

// A part of a tensor: of every dimension so many indices.
struct Part {
  const Shape& whole;
  const Shape& part;
  std::size_t last = 0;  // the innermost axis along which the part is the shorter one
  std::size_t step = 0;  // bytes of one index along it

  std::byte* CopyTo(std::byte* to, const std::byte* from, std::size_t axis = 0) const {
    const auto count = static_cast<std::size_t>(part[axis]);
    if (axis == last) {
      if (count > 0) std::memcpy(to, from, count * step);
      return to + count * step;
    }
    std::size_t stride = step;
    for (std::size_t k = axis + 1; k <= last; ++k) stride *= static_cast<std::size_t>(whole[k]);
    for (std::size_t i = 0; i < count; ++i) to = CopyTo(to, from + i * stride, axis + 1);
    return to;
  }
};

}  // namespace

UnpaddedOutputs::UnpaddedOutputs(std::shared_ptr<const SessionOutputs> batch, const Ragged& ragged,
                                 const RowRange& rows, std::int64_t length)
    : batch_(std::move(batch)), tensors_(batch_->tensors().begin(), batch_->tensors().end()) {
  for (const RaggedOutput& output : ragged.outputs) {
    TensorView& tensor = tensors_[output.index];
    tensor.data = OutputRows(*batch_, output.index, rows);
    tensor.shape.Set(0, rows.count);
    CutOut(tensor, output.axes, length, ragged.before());
  }
}

// `tensor` is this entry's rows at the batch's length; it becomes what is its own of them.
void UnpaddedOutputs::CutOut(TensorView& tensor, std::uint32_t axes, std::int64_t length,
                             bool at_the_end) {
  const Shape whole = tensor.shape;
  std::size_t last = 0;
  std::size_t skipped = 0;  // bytes in front of what is its own
  std::size_t stride = DataTypeSize(tensor.dtype);
  for (std::size_t axis = whole.rank(); axis-- > 0;) {
    if (Follows(axes, axis)) {
      tensor.shape.Set(axis, length);
      last = std::max(last, axis);
      if (at_the_end) skipped += static_cast<std::size_t>(whole[axis] - length) * stride;
    }
    stride *= static_cast<std::size_t>(whole[axis]);
  }
  std::size_t step = DataTypeSize(tensor.dtype);
  for (std::size_t k = last + 1; k < whole.rank(); ++k) step *= static_cast<std::size_t>(whole[k]);
  std::size_t pieces = 1;  // that what is its own consists of
  for (std::size_t k = 0; k < last; ++k) pieces *= static_cast<std::size_t>(tensor.shape[k]);
  const std::size_t size = pieces * static_cast<std::size_t>(tensor.shape[last]) * step;
  if (size == 0) {
    tensor.data = {};
    return;
  }
  tensor.data = tensor.data.subspan(skipped);
  if (pieces == 1) {
    tensor.data = tensor.data.first(size);
    return;
  }
  std::vector<std::byte>& copy = copies_.emplace_back(size);
  const Part part = {.whole = whole, .part = tensor.shape, .last = last, .step = step};
  part.CopyTo(copy.data(), tensor.data.data());
  tensor.data = copy;
}

Status CheckRaggedOutputs(const SessionOutputs& outputs, const Ragged& ragged,
                          std::int64_t length) {
  for (const RaggedOutput& output : ragged.outputs) {
    const Shape& shape = outputs.tensors()[output.index].shape;
    for (std::size_t axis = 0; axis < Shape::kRankMax; ++axis) {
      if (!Follows(output.axes, axis)) continue;
      if (axis < shape.rank() && shape[axis] == length) continue;
      return Internal(StrCat("the model returned an output of shape ", shape.ToString(),
                             " for inputs of length ", length));
    }
  }
  return {};
}

}  // namespace penstock
