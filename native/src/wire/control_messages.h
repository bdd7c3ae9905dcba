// Wire format of every message but the two of ModelInfer: decoding of requests, encoding of
// responses. Pure functions on bytes, any thread. Must not know: calls, models, sockets.
//
// What is decoded are views into the bytes that were given; they live as long as those. Fields
// that are unknown, or known but of another wire type, are skipped, as protobuf demands; bytes
// that are no protobuf message at all are INVALID_ARGUMENT. Numbers are those of proto/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <penstock/model.h>

#include "base/status.h"
#include "metrics/model_cells.h"
#include "tensor/tensor.h"

namespace penstock::wire {

// inference.ServerLive, ServerReady and ServerMetadata ask with an empty message: checks that the
// bytes are one (unknown fields are fine). `message_name` is for the error.
Status CheckEmptyRequest(std::span<const std::byte> message, std::string_view message_name);
std::string EncodeServerLiveResponse(bool live);
std::string EncodeServerReadyResponse(bool ready);

struct ServerMetadata {
  std::string name;
  std::string version;
  std::vector<std::string> extensions;  // only what is real
};
std::string EncodeServerMetadataResponse(const ServerMetadata& metadata);

struct ModelReadyRequest {
  std::string_view name;
  std::string_view version;  // empty: whatever the server would choose
};
Result<ModelReadyRequest> DecodeModelReadyRequest(std::span<const std::byte> message);
std::string EncodeModelReadyResponse(bool ready);

struct ModelMetadataRequest {
  std::string_view name;
  std::string_view version;  // empty: whatever the server would choose
};
Result<ModelMetadataRequest> DecodeModelMetadataRequest(std::span<const std::byte> message);

inline constexpr std::string_view kPlatform = "onnxruntime_onnx";

struct ModelMetadata {
  std::string name;
  std::vector<std::string> versions;
  std::string_view platform = kPlatform;
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
};
std::string EncodeModelMetadataResponse(const ModelMetadata& metadata);

// Triton's extensions `statistics` and `model_configuration`.
struct ModelStatisticsRequest {
  std::string_view name;     // empty: of every model
  std::string_view version;  // empty: of every version
};
Result<ModelStatisticsRequest> DecodeModelStatisticsRequest(std::span<const std::byte> message);

struct ModelStatistics {
  std::string_view name;
  std::string_view version;
  std::int64_t last_inference_ms = 0;  // since the epoch; 0: none yet
  metrics::ModelCounts counts;
};
std::string EncodeModelStatisticsResponse(std::span<const ModelStatistics> models);

struct ModelConfigRequest {
  std::string_view name;
  std::string_view version;  // empty: whatever the server would choose
};
Result<ModelConfigRequest> DecodeModelConfigRequest(std::span<const std::byte> message);

struct ModelConfig {
  std::string_view name;
  std::int64_t max_batch_size = 0;  // 0: the first dimension is no batch
  std::int64_t max_queue_delay_us = 0;
  std::span<const TensorSpec> inputs;
  std::span<const TensorSpec> outputs;
};
std::string EncodeModelConfigResponse(const ModelConfig& config);

struct RepositoryIndexRequest {
  std::string_view repository_name;
  bool ready = false;  // only models that can be called
};
Result<RepositoryIndexRequest> DecodeRepositoryIndexRequest(std::span<const std::byte> message);

struct RepositoryIndexEntry {
  std::string_view name;
  std::string_view version;
  std::string_view state;   // READY or UNAVAILABLE
  std::string_view reason;  // why it is not READY
};
std::string EncodeRepositoryIndexResponse(std::span<const RepositoryIndexEntry> models);

// penstock.v1.
std::string EncodeListModelsResponse(std::span<const ModelReport> models);

// grpc.health.v1.HealthCheckResponse.ServingStatus.
enum class ServingStatus : std::uint8_t { kUnknown = 0, kServing = 1, kNotServing = 2 };

struct HealthCheckRequest {
  std::string_view service;  // empty: the server as a whole
};
Result<HealthCheckRequest> DecodeHealthCheckRequest(std::span<const std::byte> message);
std::string EncodeHealthCheckResponse(ServingStatus status);

// One message of grpc.reflection.v1 or v1alpha: they are the same on the wire.
struct ReflectionRequest {
  enum class Kind : std::uint8_t {
    kNone,  // the oneof is not set, or is one that this server does not know
    kFileByFilename,
    kFileContainingSymbol,
    kFileContainingExtension,
    kAllExtensionNumbersOfType,
    kListServices,
  };

  Kind kind = Kind::kNone;
  std::string_view argument;  // the string of `kind`; for an extension its encoded message
  std::string_view host;
  std::span<const std::byte> original;  // the whole request: responses carry it back
};
Result<ReflectionRequest> DecodeReflectionRequest(std::span<const std::byte> message);

// `files` are serialized FileDescriptorProtos.
std::string EncodeReflectionFiles(const ReflectionRequest& request,
                                  std::span<const std::span<const std::uint8_t>> files);
std::string EncodeReflectionServices(const ReflectionRequest& request,
                                     std::span<const std::string_view> services);
std::string EncodeReflectionError(const ReflectionRequest& request, const Status& error);

}  // namespace penstock::wire
