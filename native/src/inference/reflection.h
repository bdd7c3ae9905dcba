// What gRPC server reflection answers, so that grpcurl and its kin need no .proto files.
// Pure: bytes in, bytes out, constant data; any thread. Must not know: calls, streams, protozero.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "inference/descriptors.gen.h"

namespace penstock {

class ReflectionIndex final {
 public:
  // `files` and all that they view outlive the index; DescriptorFiles() lives for ever.
  explicit ReflectionIndex(std::span<const DescriptorFile> files = DescriptorFiles());

  // The ServerReflectionResponse (v1 and v1alpha are the same bytes) to one serialized
  // ServerReflectionRequest. Failures are answers too, as reflection demands: error_response holds
  // NOT_FOUND for an unknown file or symbol, UNIMPLEMENTED for questions about extensions (proto3
  // has none), INVALID_ARGUMENT for bytes that are no request. The stream goes on in every case.
  std::string Answer(std::span<const std::byte> request) const;

 private:
  using Index = std::map<std::string_view, const DescriptorFile*>;

  // Constant after construction.
  Index by_name_;
  Index by_symbol_;
  std::vector<std::string_view> services_;
};

}  // namespace penstock
