// ModelInferResponse: its size, and its bytes. Outputs always travel raw, one entry each, in order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/byte_queue.h"
#include "tensor/tensor.h"

namespace penstock::wire {

struct InferOutput {
  std::string_view name;
  DataType dtype = DataType::kInvalid;
  Shape shape;
  std::span<const std::byte> data;
};

struct InferParameter {
  std::string_view name;
  std::int64_t value = 0;
};

struct InferResponse {
  std::string_view model_name;
  std::string_view model_version;
  std::string_view id;
  std::span<const InferParameter> parameters;
  std::span<const InferOutput> outputs;
};

// Larger outputs are not copied into the reply but borrowed until they are sent.
inline constexpr std::size_t kOutputCopyMax = std::size_t{16} << 10;

std::size_t InferResponseSize(const InferResponse& response);

// Appends exactly InferResponseSize bytes. `owner` keeps the outputs' bytes alive where they are
// borrowed.
void EncodeInferResponse(const InferResponse& response, const std::shared_ptr<const void>& owner,
                         ByteQueue& out);

}  // namespace penstock::wire
