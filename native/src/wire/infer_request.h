// ModelInferRequest as views over the receive buffer: nothing is copied, everything here lives as
// long as the message. Field numbers: proto/open_inference_grpc.proto.
#pragma once

#include <cstddef>
#include <cstdint>
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
  bool has_contents = false;              // typed contents instead of a raw entry
  std::span<const std::byte> contents{};  // their InferTensorContents; see typed_contents.h
};

// A requested output that is to be answered as its `count` largest values, each with its index.
struct RequestedClasses {
  std::size_t output = 0;  // among the requested ones
  std::int64_t count = 0;
};

struct InferRequest {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  std::vector<InferInput> inputs;
  std::vector<std::string_view> requested_outputs;
  std::vector<RequestedClasses> classes;  // mostly none
  std::vector<std::span<const std::byte>> raw_input_contents;
  // Of the request's parameters.
  std::uint64_t priority = 0;                // 0: the model's default; 1 is the highest
  std::optional<std::int64_t> timeout_us{};  // how long the request may wait in a queue

  // Empties it, keeping its memory for the next request.
  void Clear();
};

// Malformed bytes, a list longer than any honest request has and parameters that a client must not
// send are INVALID_ARGUMENT; parameters that ask for what is not served here are UNIMPLEMENTED.
Status DecodeInferRequest(std::span<const std::byte> message, InferRequest& request);

// What the first bytes of a message tell before the rest is there.
struct RequestHead {
  std::string_view model_name;  // empty where it is not among them
  std::string_view model_version;
  // Where the bytes of the first raw tensor begin: what a receive buffer is to be aligned for.
  std::optional<std::size_t> first_raw_tensor{};
};
RequestHead ReadRequestHead(std::span<const std::byte> head);

}  // namespace penstock::wire
