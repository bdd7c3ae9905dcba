// ModelInferRequest as views over the receive buffer: nothing is copied, everything here lives as
// long as the message. Field numbers: proto/open_inference_grpc.proto.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace penstock::wire {

struct InferInput {
  std::string_view name;
  std::string_view datatype;
  Shape shape;
  bool has_contents = false;  // typed contents instead of a raw entry
};

struct InferRequest {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  std::vector<InferInput> inputs;
  std::vector<std::string_view> requested_outputs;
  std::vector<std::span<const std::byte>> raw_input_contents;

  // Empties it, keeping its memory for the next request.
  void Clear();
};

// Malformed bytes, or a list longer than any honest request has, are INVALID_ARGUMENT.
Status DecodeInferRequest(std::span<const std::byte> message, InferRequest& request);

// Where the bytes of the first raw tensor begin, if `head`, the first bytes of a message, reaches
// that far: what a receive buffer is to be aligned for.
std::optional<std::size_t> FirstRawTensorOffset(std::span<const std::byte> head);

}  // namespace penstock::wire
