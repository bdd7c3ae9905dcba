#include "wire/infer_request.h"

#include <protozero/pbf_reader.hpp>

#include <cstdint>
#include <exception>

#include "base/strings.h"
#include "wire/infer_parameters.h"

namespace penstock::wire {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Tags of proto/open_inference_grpc.proto.
namespace request_tag {
constexpr protozero::pbf_tag_type kModelName = 1, kModelVersion = 2, kId = 3, kParameters = 4,
                                  kInputs = 5, kOutputs = 6, kRawInputContents = 7;
}
namespace input_tag {
constexpr protozero::pbf_tag_type kName = 1, kDatatype = 2, kShape = 3, kParameters = 4,
                                  kContents = 5;
}
namespace output_tag {
constexpr protozero::pbf_tag_type kName = 1, kParameters = 2;
}

// Entries cost memory that their few bytes on the wire do not pay for.
constexpr std::size_t kEntriesMax = 1024;

std::string_view StringOf(pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  return {view.data(), view.size()};
}

bool IsBytes(const pbf_reader& reader) {
  return reader.wire_type() == pbf_wire_type::length_delimited;
}

Status AppendDimension(InferInput& input, std::int64_t dim) {
  if (input.shape.rank() == Shape::kRankMax) {
    return InvalidArgument(
        StrCat("input '", Printable(input.name), "': more than ", Shape::kRankMax, " dimensions"));
  }
  input.shape.Append(dim);
  return {};
}

Status SetContents(InferInput& input, std::string_view contents) {
  // protobuf would merge them; no encoder writes a message field twice.
  if (input.has_contents) {
    return InvalidArgument(
        StrCat("input '", Printable(input.name), "': contents given more than once"));
  }
  input.has_contents = true;
  input.contents = std::as_bytes(std::span(contents));
  return {};
}

Status DecodeInput(pbf_reader reader, InferInput& input) {
  while (reader.next()) {
    if (reader.tag() == input_tag::kName && IsBytes(reader)) {
      input.name = StringOf(reader);
    } else if (reader.tag() == input_tag::kDatatype && IsBytes(reader)) {
      input.datatype = StringOf(reader);
    } else if (reader.tag() == input_tag::kShape && IsBytes(reader)) {
      for (const std::int64_t dim : reader.get_packed_int64()) {
        RETURN_IF_ERROR(AppendDimension(input, dim));
      }
    } else if (reader.tag() == input_tag::kShape && reader.wire_type() == pbf_wire_type::varint) {
      RETURN_IF_ERROR(AppendDimension(input, reader.get_int64()));
    } else if (reader.tag() == input_tag::kContents && IsBytes(reader)) {
      RETURN_IF_ERROR(SetContents(input, StringOf(reader)));
    } else if (reader.tag() == input_tag::kParameters && IsBytes(reader)) {
      RETURN_IF_ERROR(CheckInputParameter(StringOf(reader), input.name));
    } else {
      reader.skip();
    }
  }
  return {};
}

Status DecodeRequestedOutput(pbf_reader reader, InferRequest& request) {
  std::string_view& name = request.requested_outputs.emplace_back();
  while (reader.next()) {
    if (reader.tag() == output_tag::kName && IsBytes(reader)) {
      name = StringOf(reader);
    } else if (reader.tag() == output_tag::kParameters && IsBytes(reader)) {
      RETURN_IF_ERROR(ReadOutputParameter(StringOf(reader), request));
    } else {
      reader.skip();
    }
  }
  return {};
}

template <typename Vector>
Status CheckRoom(const Vector& entries, std::string_view what) {
  if (entries.size() < kEntriesMax) return {};
  return InvalidArgument(StrCat("ModelInferRequest: more than ", kEntriesMax, " ", what));
}

Status DecodeFields(pbf_reader reader, InferRequest& request) {
  while (reader.next()) {
    if (!IsBytes(reader)) {
      reader.skip();
      continue;
    }
    switch (reader.tag()) {
      case request_tag::kModelName:
        request.model_name = StringOf(reader);
        break;
      case request_tag::kModelVersion:
        request.model_version = StringOf(reader);
        break;
      case request_tag::kId:
        request.id = StringOf(reader);
        // It is echoed, and no client could read the answer.
        if (!IsUtf8(request.id)) return InvalidArgument("ModelInferRequest: id is not UTF-8");
        break;
      case request_tag::kInputs:
        RETURN_IF_ERROR(CheckRoom(request.inputs, "inputs"));
        RETURN_IF_ERROR(DecodeInput(reader.get_message(), request.inputs.emplace_back()));
        break;
      case request_tag::kOutputs:
        RETURN_IF_ERROR(CheckRoom(request.requested_outputs, "requested outputs"));
        RETURN_IF_ERROR(DecodeRequestedOutput(reader.get_message(), request));
        break;
      case request_tag::kParameters:
        RETURN_IF_ERROR(ReadRequestParameter(StringOf(reader), request));
        break;
      case request_tag::kRawInputContents: {
        RETURN_IF_ERROR(CheckRoom(request.raw_input_contents, "raw_input_contents"));
        const std::string_view raw = StringOf(reader);
        request.raw_input_contents.push_back(std::as_bytes(std::span(raw)));
        break;
      }
      default:
        reader.skip();
    }
  }
  return {};
}

}  // namespace

void InferRequest::Clear() {
  model_name = model_version = id = {};
  inputs.clear();
  requested_outputs.clear();
  classes.clear();
  raw_input_contents.clear();
  priority = 0;
  timeout_us.reset();
}

Status DecodeInferRequest(std::span<const std::byte> message, InferRequest& request) {
  request.Clear();
  try {
    return DecodeFields(pbf_reader(reinterpret_cast<const char*>(message.data()), message.size()),
                        request);
  } catch (const std::exception& malformed) {
    return InvalidArgument(
        StrCat("ModelInferRequest: malformed protobuf message: ", malformed.what()));
  }
}

RequestHead ReadRequestHead(std::span<const std::byte> head) {
  RequestHead read;
  std::size_t position = 0;
  const auto varint = [&head, &position]() -> std::optional<std::uint64_t> {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && position < head.size(); shift += 7) {
      const auto byte = std::to_integer<std::uint64_t>(head[position++]);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  };
  constexpr std::uint64_t kLengthDelimited = 2;
  while (position < head.size()) {
    const std::optional<std::uint64_t> key = varint();
    // Every field before the raw contents is length-delimited; anything else is not worth a guess.
    if (!key.has_value() || (*key & 7) != kLengthDelimited) break;
    const std::optional<std::uint64_t> size = varint();
    if (!size.has_value()) break;
    if (*key >> 3 == request_tag::kRawInputContents) {
      read.first_raw_tensor = position;
      break;
    }
    if (*size > head.size() - position) break;
    const auto length = static_cast<std::size_t>(*size);
    const char* const text = reinterpret_cast<const char*>(head.data()) + position;
    if (*key >> 3 == request_tag::kModelName) read.model_name = {text, length};
    if (*key >> 3 == request_tag::kModelVersion) read.model_version = {text, length};
    position += length;
  }
  return read;
}

}  // namespace penstock::wire
