// ModelInferResponse as a client reads it: views into the message's bytes, copying nothing. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace penstock::wire {

struct InferOutputView {
  std::string_view name;
  std::string_view datatype;
  Shape shape;
  // Little-endian elements: of raw_output_contents, or of fp32_contents and fp64_contents where the
  // server answers typed.
  std::span<const std::byte> data;
  // Any other typed contents, as encoded.
  std::span<const std::byte> other_contents;
};

struct InferResponseView {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  std::vector<InferOutputView> outputs;
};

// Fields that are unknown are skipped. INVALID_ARGUMENT where the bytes are no such message or raw
// entries and outputs do not match; `response` is then unspecified.
Status DecodeInferResponse(std::span<const std::byte> message, InferResponseView& response);

}  // namespace penstock::wire
