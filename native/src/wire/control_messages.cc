// See the header. Exceptions of protozero stop in DecodeFields.
#include "wire/control_messages.h"

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include <array>

#include "base/strings.h"

namespace penstock::wire {
namespace {

using metrics::Stage;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

std::string_view ToStringView(const protozero::data_view& view) {
  return {view.data(), view.size()};
}

Status Malformed(std::string_view message_name, std::size_t byte_count, std::string_view reason) {
  return InvalidArgument(
      StrCat(message_name, ": ", byte_count, " bytes that are no protobuf message: ", reason));
}

// Calls `on_field` with the reader on each field in turn; it must read or skip the field.
// tag_and_type in its switch keeps a field of the wrong wire type away from the typed getters,
// which only assert it.
template <typename OnField>
Status DecodeFields(std::span<const std::byte> message, std::string_view message_name,
                    const OnField& on_field) {
  try {
    protozero::pbf_reader reader(reinterpret_cast<const char*>(message.data()), message.size());
    while (reader.next()) on_field(reader);
    return {};
  } catch (const protozero::end_of_buffer_exception&) {
    return Malformed(message_name, message.size(), "the last field is cut off");
  } catch (const protozero::varint_too_long_exception&) {
    return Malformed(message_name, message.size(), "a varint is longer than 10 bytes");
  } catch (const protozero::unknown_pbf_wire_type_exception&) {
    return Malformed(message_name, message.size(), "a field has an unknown wire type");
  } catch (const protozero::invalid_tag_exception&) {
    return Malformed(message_name, message.size(), "a field number is out of range");
  } catch (const protozero::exception&) {
    return Malformed(message_name, message.size(), "a field cannot be decoded");
  }
}

// The name = 1, version = 2 that several requests consist of.
template <typename Request>
Result<Request> DecodeNameAndVersion(std::span<const std::byte> message,
                                     std::string_view message_name) {
  Request request;
  RETURN_IF_ERROR(DecodeFields(message, message_name, [&](protozero::pbf_reader& field) {
    switch (field.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        request.name = ToStringView(field.get_view());
        break;
      case tag_and_type(2, pbf_wire_type::length_delimited):
        request.version = ToStringView(field.get_view());
        break;
      default:
        field.skip();
    }
  }));
  return request;
}

// proto3 does not send what has its default value.
std::string EncodeBool(protozero::pbf_tag_type tag, bool value) {
  std::string bytes;
  if (value) protozero::pbf_writer(bytes).add_bool(tag, true);
  return bytes;
}

void AddString(protozero::pbf_writer& writer, protozero::pbf_tag_type tag, std::string_view value) {
  if (!value.empty()) writer.add_string(tag, value.data(), value.size());
}

// What describes a tensor has the same fields in every message.
void AddTensor(protozero::pbf_writer& parent, protozero::pbf_tag_type tag, std::string_view name,
               std::string_view datatype, std::span<const std::int64_t> dims) {
  protozero::pbf_writer writer(parent, tag);
  AddString(writer, 1, name);
  AddString(writer, 2, datatype);
  writer.add_packed_int64(3, dims.begin(), dims.end());
}

void AddTensorMetadata(protozero::pbf_writer& parent, protozero::pbf_tag_type tag,
                       const TensorSpec& spec) {
  AddTensor(parent, tag, spec.name, DataTypeName(spec.dtype), spec.shape.dims());
}

void AddTensorReport(protozero::pbf_writer& parent, protozero::pbf_tag_type tag,
                     const TensorReport& report) {
  AddTensor(parent, tag, report.name, report.datatype, report.shape);
}

// inference.DataType, by DataType.
constexpr std::array<std::int32_t, 15> kConfigDataTypes = {0, 1, 2,  3,  4,  5,  6, 7,
                                                           8, 9, 10, 11, 12, 14, 13};

// inference.ModelInput or ModelOutput, which differ in the number of their dims.
void AddConfigTensor(protozero::pbf_writer& parent, protozero::pbf_tag_type tag,
                     protozero::pbf_tag_type dims_tag, const TensorSpec& spec, bool batched) {
  protozero::pbf_writer writer(parent, tag);
  AddString(writer, 1, spec.name);
  writer.add_enum(2, kConfigDataTypes[static_cast<std::size_t>(spec.dtype)]);
  std::span<const std::int64_t> dims = spec.shape.dims();
  if (batched && !dims.empty()) dims = dims.subspan(1);
  writer.add_packed_int64(dims_tag, dims.begin(), dims.end());
}

void AddUint(protozero::pbf_writer& writer, protozero::pbf_tag_type tag, std::int64_t value) {
  if (value != 0) writer.add_uint64(tag, static_cast<std::uint64_t>(value));
}

// inference.StatisticDuration.
void AddDuration(protozero::pbf_writer& parent, protozero::pbf_tag_type tag, std::int64_t count,
                 TimeNs duration) {
  protozero::pbf_writer writer(parent, tag);
  AddUint(writer, 1, count);
  AddUint(writer, 2, duration);
}

// valid_host = 1 and original_request = 2, which open every reflection response.
void AddReflectionHead(protozero::pbf_writer& writer, const ReflectionRequest& request) {
  AddString(writer, 1, request.host);
  writer.add_message(2, reinterpret_cast<const char*>(request.original.data()),
                     request.original.size());
}

}  // namespace

Status CheckEmptyRequest(std::span<const std::byte> message, std::string_view message_name) {
  return DecodeFields(message, message_name, [](protozero::pbf_reader& field) { field.skip(); });
}

std::string EncodeServerLiveResponse(bool live) {
  return EncodeBool(1, live);
}

std::string EncodeServerReadyResponse(bool ready) {
  return EncodeBool(1, ready);
}

std::string EncodeServerMetadataResponse(const ServerMetadata& metadata) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  AddString(writer, 1, metadata.name);
  AddString(writer, 2, metadata.version);
  for (const std::string& extension : metadata.extensions) writer.add_string(3, extension);
  return bytes;
}

Result<ModelReadyRequest> DecodeModelReadyRequest(std::span<const std::byte> message) {
  return DecodeNameAndVersion<ModelReadyRequest>(message, "ModelReadyRequest");
}

std::string EncodeModelReadyResponse(bool ready) {
  return EncodeBool(1, ready);
}

Result<ModelMetadataRequest> DecodeModelMetadataRequest(std::span<const std::byte> message) {
  return DecodeNameAndVersion<ModelMetadataRequest>(message, "ModelMetadataRequest");
}

std::string EncodeModelMetadataResponse(const ModelMetadata& metadata) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  AddString(writer, 1, metadata.name);
  for (const std::string& version : metadata.versions) writer.add_string(2, version);
  AddString(writer, 3, metadata.platform);
  for (const TensorSpec& input : metadata.inputs) AddTensorMetadata(writer, 4, input);
  for (const TensorSpec& output : metadata.outputs) AddTensorMetadata(writer, 5, output);
  return bytes;
}

Result<ModelStatisticsRequest> DecodeModelStatisticsRequest(std::span<const std::byte> message) {
  return DecodeNameAndVersion<ModelStatisticsRequest>(message, "ModelStatisticsRequest");
}

// Each duration goes with the count of the answered calls: perf_analyzer wants them equal.
std::string EncodeModelStatisticsResponse(std::span<const ModelStatistics> models) {
  std::string bytes;
  protozero::pbf_writer response(bytes);
  for (const ModelStatistics& model : models) {
    const metrics::ModelCounts& counts = model.counts;
    protozero::pbf_writer writer(response, 1);
    AddString(writer, 1, model.name);
    AddString(writer, 2, model.version);
    AddUint(writer, 3, model.last_inference_ms);
    AddUint(writer, 4, counts.rows);
    AddUint(writer, 5, counts.runs());
    protozero::pbf_writer stats(writer, 6);
    AddDuration(stats, 1, counts.ok(), counts.total.sum);
    AddDuration(stats, 2, counts.failed(), counts.failed_time);
    AddDuration(stats, 3, counts.ok(), counts.stage(Stage::kQueue).sum);
    AddDuration(stats, 4, counts.ok(),
                counts.stage(Stage::kDecode).sum + counts.stage(Stage::kPrepare).sum);
    AddDuration(stats, 5, counts.ok(), counts.stage(Stage::kRun).sum);
    AddDuration(stats, 6, counts.ok(), counts.stage(Stage::kRespond).sum);
  }
  return bytes;
}

Result<ModelConfigRequest> DecodeModelConfigRequest(std::span<const std::byte> message) {
  return DecodeNameAndVersion<ModelConfigRequest>(message, "ModelConfigRequest");
}

std::string EncodeModelConfigResponse(const ModelConfig& config) {
  std::string bytes;
  protozero::pbf_writer response(bytes);
  {
    protozero::pbf_writer writer(response, 1);
    AddString(writer, 1, config.name);
    AddString(writer, 2, kPlatform);
    if (config.max_batch_size > 0) {
      writer.add_int32(4, static_cast<std::int32_t>(config.max_batch_size));
    }
    const bool batched = config.max_batch_size > 0;
    for (const TensorSpec& input : config.inputs) AddConfigTensor(writer, 5, 4, input, batched);
    for (const TensorSpec& output : config.outputs) AddConfigTensor(writer, 6, 3, output, batched);
    if (config.max_batch_size > 1) {
      // A nested writer leaves out what is empty, and its presence is the point.
      std::string batching;
      protozero::pbf_writer batching_writer(batching);
      AddUint(batching_writer, 2, config.max_queue_delay_us);
      writer.add_message(11, batching);
    }
    AddString(writer, 17, "onnxruntime");
  }
  return bytes;
}

Result<RepositoryIndexRequest> DecodeRepositoryIndexRequest(std::span<const std::byte> message) {
  RepositoryIndexRequest request;
  const auto on_field = [&request](protozero::pbf_reader& field) {
    switch (field.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited):
        request.repository_name = ToStringView(field.get_view());
        break;
      case tag_and_type(2, pbf_wire_type::varint):
        request.ready = field.get_bool();
        break;
      default:
        field.skip();
    }
  };
  RETURN_IF_ERROR(DecodeFields(message, "RepositoryIndexRequest", on_field));
  return request;
}

std::string EncodeRepositoryIndexResponse(std::span<const RepositoryIndexEntry> models) {
  std::string bytes;
  protozero::pbf_writer response(bytes);
  for (const RepositoryIndexEntry& model : models) {
    protozero::pbf_writer writer(response, 1);
    AddString(writer, 1, model.name);
    AddString(writer, 2, model.version);
    AddString(writer, 3, model.state);
    AddString(writer, 4, model.reason);
  }
  return bytes;
}

std::string EncodeListModelsResponse(std::span<const ModelReport> models) {
  std::string bytes;
  protozero::pbf_writer response(bytes);
  for (const ModelReport& model : models) {
    protozero::pbf_writer writer(response, 1);
    AddString(writer, 1, model.name);
    writer.add_int64(2, model.version);
    for (const TensorReport& input : model.inputs) AddTensorReport(writer, 3, input);
    for (const TensorReport& output : model.outputs) AddTensorReport(writer, 4, output);
    for (const std::string& provider : model.providers) writer.add_string(5, provider);
    if (model.batchable) writer.add_bool(6, true);
    AddString(writer, 7, model.batchable_reason);
    writer.add_int64(8, model.max_batch_size);
    AddString(writer, 9, model.execution);
    AddString(writer, 10, model.execution_reason);
    AddString(writer, 11, model.probe_note);
    if (model.l1_us != 0) writer.add_double(12, model.l1_us);
    if (model.lmax_us != 0) writer.add_double(13, model.lmax_us);
    for (const std::string& chain : model.preprocessing) writer.add_string(14, chain);
    for (const std::string& chain : model.postprocessing) writer.add_string(15, chain);
    for (const TensorReport& input : model.raw_inputs) AddTensorReport(writer, 16, input);
    AddString(writer, 17, model.ragged);
  }
  return bytes;
}

Result<HealthCheckRequest> DecodeHealthCheckRequest(std::span<const std::byte> message) {
  HealthCheckRequest request;
  RETURN_IF_ERROR(DecodeFields(message, "HealthCheckRequest", [&](protozero::pbf_reader& field) {
    if (field.tag_and_type() == tag_and_type(1, pbf_wire_type::length_delimited)) {
      request.service = ToStringView(field.get_view());
    } else {
      field.skip();
    }
  }));
  return request;
}

std::string EncodeHealthCheckResponse(ServingStatus status) {
  std::string bytes;
  if (status != ServingStatus::kUnknown) {
    protozero::pbf_writer(bytes).add_enum(1, static_cast<std::int32_t>(status));
  }
  return bytes;
}

Result<ReflectionRequest> DecodeReflectionRequest(std::span<const std::byte> message) {
  using Kind = ReflectionRequest::Kind;
  ReflectionRequest request;
  request.original = message;
  auto set = [&request](Kind kind, protozero::pbf_reader& field) {
    request.kind = kind;
    request.argument = ToStringView(field.get_view());
  };
  RETURN_IF_ERROR(
      DecodeFields(message, "ServerReflectionRequest", [&](protozero::pbf_reader& field) {
        switch (field.tag_and_type()) {
          case tag_and_type(1, pbf_wire_type::length_delimited):
            request.host = ToStringView(field.get_view());
            break;
          case tag_and_type(3, pbf_wire_type::length_delimited):
            set(Kind::kFileByFilename, field);
            break;
          case tag_and_type(4, pbf_wire_type::length_delimited):
            set(Kind::kFileContainingSymbol, field);
            break;
          case tag_and_type(5, pbf_wire_type::length_delimited):
            set(Kind::kFileContainingExtension, field);
            break;
          case tag_and_type(6, pbf_wire_type::length_delimited):
            set(Kind::kAllExtensionNumbersOfType, field);
            break;
          case tag_and_type(7, pbf_wire_type::length_delimited):
            set(Kind::kListServices, field);
            break;
          default:
            field.skip();
        }
      }));
  return request;
}

// Below, the inner writer closes its message (and so changes `bytes`) at the end of its scope,
// which must come before the return.
std::string EncodeReflectionFiles(const ReflectionRequest& request,
                                  std::span<const std::span<const std::uint8_t>> files) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  AddReflectionHead(writer, request);
  {
    protozero::pbf_writer response(writer, 4);
    for (std::span<const std::uint8_t> file : files) {
      response.add_bytes(1, reinterpret_cast<const char*>(file.data()), file.size());
    }
  }
  return bytes;
}

std::string EncodeReflectionServices(const ReflectionRequest& request,
                                     std::span<const std::string_view> services) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  AddReflectionHead(writer, request);
  {
    protozero::pbf_writer response(writer, 6);
    for (std::string_view name : services) {
      protozero::pbf_writer service(response, 1);
      service.add_string(1, name.data(), name.size());
    }
  }
  return bytes;
}

std::string EncodeReflectionError(const ReflectionRequest& request, const Status& error) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  AddReflectionHead(writer, request);
  {
    protozero::pbf_writer response(writer, 7);
    response.add_int32(1, static_cast<std::int32_t>(error.code()));
    response.add_string(2, error.message().data(), error.message().size());
  }
  return bytes;
}

}  // namespace penstock::wire
