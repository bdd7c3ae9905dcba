// Cuts a tensor's rows off, some at a time. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "tensor/bytes.h"
#include "tensor/tensor.h"

namespace penstock {

class RowCutter final {
 public:
  // The first dimension of `whole` is its rows.
  explicit RowCutter(const TensorView& whole) : left_(whole) {
    CHECK_GT(whole.shape.rank(), 0U);
    for (std::size_t i = 1; i < whole.shape.rank(); ++i) row_elements_ *= whole.shape[i];
  }

  // The next `rows`, of which there are so many.
  TensorView Next(std::int64_t rows) {
    CHECK_LE(rows, left_.shape[0]);
    const std::size_t size = SizeOf(rows * row_elements_);
    TensorView cut = left_;
    cut.shape.Set(0, rows);
    cut.data = left_.data.first(size);
    left_.shape.Set(0, left_.shape[0] - rows);
    left_.data = left_.data.subspan(size);
    return cut;
  }

 private:
  std::size_t SizeOf(std::int64_t elements) const {
    if (left_.dtype != DataType::kBytes) {
      return static_cast<std::size_t>(elements) * DataTypeSize(left_.dtype);
    }
    BytesReader reader(left_.data);
    for (std::int64_t i = 0; i < elements; ++i) reader.Next();
    return reader.offset();
  }

  TensorView left_;
  std::int64_t row_elements_ = 1;
};

}  // namespace penstock
