// InferTensorContents: the elements of a tensor as protobuf numbers, one field for each family of
// types, packed or not. Found out in two steps, so that nothing is written, and no memory taken,
// for contents that do not fit their tensor. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/status.h"
#include "tensor/tensor.h"

namespace penstock::wire {

// "fp32_contents"; empty for FP16 and BF16, which travel raw only.
std::string_view ContentsField(DataType dtype);

struct ContentsSize {
  std::int64_t element_count = 0;
  std::size_t byte_count = 0;  // once converted; at most 8 for each byte of the contents
};

// INVALID_ARGUMENT where another field than that of `dtype` holds something, or the bytes are no
// protobuf message. The errors of both are the end of a sentence about a tensor.
Result<ContentsSize> MeasureContents(std::span<const std::byte> contents, DataType dtype);

// Writes the elements row-major, as raw contents would be; `to` has the measured size.
// INVALID_ARGUMENT for a number that `dtype` does not hold.
Status ConvertContents(std::span<const std::byte> contents, DataType dtype,
                       std::span<std::byte> to);

}  // namespace penstock::wire
