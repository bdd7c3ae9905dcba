#include "batching/output_rows.h"

namespace penstock {

std::span<const std::byte> OutputRows(const SessionOutputs& outputs, std::size_t index,
                                      const RowRange& rows) {
  const TensorView& tensor = outputs.tensors()[index];
  const auto of = static_cast<std::size_t>(rows.of);
  const auto first = static_cast<std::size_t>(rows.first);
  const auto behind = first + static_cast<std::size_t>(rows.count);
  if (tensor.dtype != DataType::kBytes) {
    const std::size_t row_size = tensor.data.size() / of;
    return tensor.data.subspan(first * row_size, (behind - first) * row_size);
  }
  const std::span<const std::size_t> offsets = outputs.element_offsets(index);
  const std::size_t row_elements = (offsets.size() - 1) / of;
  const std::size_t begin = offsets[first * row_elements];
  return tensor.data.subspan(begin, offsets[behind * row_elements] - begin);
}

}  // namespace penstock
