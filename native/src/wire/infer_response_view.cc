#include "wire/infer_response_view.h"

#include <protozero/pbf_reader.hpp>

#include <cstdint>
#include <exception>

#include "base/strings.h"

namespace penstock::wire {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Tags of proto/open_inference_grpc.proto.
namespace response_tag {
constexpr protozero::pbf_tag_type kModelName = 1, kModelVersion = 2, kId = 3, kOutputs = 5,
                                  kRawOutputContents = 6;
}
namespace output_tag {
constexpr protozero::pbf_tag_type kName = 1, kDatatype = 2, kShape = 3, kContents = 5;
}
namespace contents_tag {
constexpr protozero::pbf_tag_type kFp32 = 6, kFp64 = 7;
}

std::string_view StringOf(pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  return {view.data(), view.size()};
}

std::span<const std::byte> BytesOf(pbf_reader& reader) {
  return std::as_bytes(std::span(StringOf(reader)));
}

bool IsBytes(const pbf_reader& reader) {
  return reader.wire_type() == pbf_wire_type::length_delimited;
}

// Packed floats lie on the wire as raw contents do.
void DecodeContents(std::span<const std::byte> contents, InferOutputView& output) {
  pbf_reader reader(reinterpret_cast<const char*>(contents.data()), contents.size());
  bool floats = false;
  while (reader.next()) {
    if ((reader.tag() == contents_tag::kFp32 || reader.tag() == contents_tag::kFp64) &&
        IsBytes(reader) && !floats) {
      output.data = BytesOf(reader);
      floats = true;
    } else {
      reader.skip();
      output.other_contents = contents;
    }
  }
}

Status AppendDimension(InferOutputView& output, std::int64_t dim) {
  if (output.shape.rank() == Shape::kRankMax) {
    return InvalidArgument(StrCat("output '", Printable(output.name), "': more than ",
                                  Shape::kRankMax, " dimensions"));
  }
  output.shape.Append(dim);
  return {};
}

Status DecodeOutput(pbf_reader reader, InferOutputView& output) {
  while (reader.next()) {
    if (reader.tag() == output_tag::kName && IsBytes(reader)) {
      output.name = StringOf(reader);
    } else if (reader.tag() == output_tag::kDatatype && IsBytes(reader)) {
      output.datatype = StringOf(reader);
    } else if (reader.tag() == output_tag::kShape && IsBytes(reader)) {
      for (const std::int64_t dim : reader.get_packed_int64()) {
        RETURN_IF_ERROR(AppendDimension(output, dim));
      }
    } else if (reader.tag() == output_tag::kShape && reader.wire_type() == pbf_wire_type::varint) {
      RETURN_IF_ERROR(AppendDimension(output, reader.get_int64()));
    } else if (reader.tag() == output_tag::kContents && IsBytes(reader)) {
      DecodeContents(BytesOf(reader), output);
    } else {
      reader.skip();
    }
  }
  return {};
}

Status DecodeFields(pbf_reader reader, InferResponseView& response) {
  std::vector<std::span<const std::byte>> raw;
  while (reader.next()) {
    if (!IsBytes(reader)) {
      reader.skip();
      continue;
    }
    switch (reader.tag()) {
      case response_tag::kModelName:
        response.model_name = StringOf(reader);
        break;
      case response_tag::kModelVersion:
        response.model_version = StringOf(reader);
        break;
      case response_tag::kId:
        response.id = StringOf(reader);
        break;
      case response_tag::kOutputs:
        RETURN_IF_ERROR(DecodeOutput(reader.get_message(), response.outputs.emplace_back()));
        break;
      case response_tag::kRawOutputContents:
        raw.push_back(BytesOf(reader));
        break;
      default:
        reader.skip();
    }
  }
  if (raw.empty()) return {};
  if (raw.size() != response.outputs.size()) {
    return InvalidArgument(StrCat("ModelInferResponse: ", raw.size(), " raw_output_contents for ",
                                  response.outputs.size(), " outputs"));
  }
  for (std::size_t i = 0; i < raw.size(); ++i) response.outputs[i].data = raw[i];
  return {};
}

}  // namespace

Status DecodeInferResponse(std::span<const std::byte> message, InferResponseView& response) {
  response = InferResponseView();
  try {
    return DecodeFields(pbf_reader(reinterpret_cast<const char*>(message.data()), message.size()),
                        response);
  } catch (const std::exception& malformed) {
    return InvalidArgument(
        StrCat("ModelInferResponse: malformed protobuf message: ", malformed.what()));
  }
}

}  // namespace penstock::wire
