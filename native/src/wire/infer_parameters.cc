#include "wire/infer_parameters.h"

#include <protozero/pbf_reader.hpp>

#include <cstdint>
#include <limits>
#include <optional>

#include "base/strings.h"

namespace penstock::wire {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

// The oneof of InferParameter; the numbers are its fields.
enum class Kind : std::uint8_t { kNone, kBool, kInt64, kString, kDouble, kUint64 };

struct Parameter {
  std::string_view name;
  Kind kind = Kind::kNone;
  std::uint64_t varint = 0;  // of kBool, kInt64 and kUint64
};

void DecodeValue(pbf_reader reader, Parameter& parameter) {
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::varint):
      case tag_and_type(2, pbf_wire_type::varint):
      case tag_and_type(5, pbf_wire_type::varint):
        parameter.kind = static_cast<Kind>(reader.tag());
        parameter.varint = reader.get_uint64();
        break;
      case tag_and_type(3, pbf_wire_type::length_delimited):
      case tag_and_type(4, pbf_wire_type::fixed64):
        parameter.kind = static_cast<Kind>(reader.tag());
        reader.skip();
        break;
      default:
        reader.skip();
    }
  }
}

// A map entry: key = 1, value = 2.
Parameter Decode(std::string_view entry) {
  Parameter parameter;
  for (pbf_reader reader(entry.data(), entry.size()); reader.next();) {
    switch (reader.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited): {
        const protozero::data_view name = reader.get_view();
        parameter.name = {name.data(), name.size()};
        break;
      }
      case tag_and_type(2, pbf_wire_type::length_delimited):
        DecodeValue(reader.get_message(), parameter);
        break;
      default:
        reader.skip();
    }
  }
  return parameter;
}

Status ParameterError(const Parameter& parameter, std::string_view what) {
  return InvalidArgument(StrCat("parameter '", Printable(parameter.name), "': ", what));
}

// A whole number that is not negative, from either integer type; nothing for anything else.
std::optional<std::uint64_t> WholeNumber(const Parameter& parameter) {
  constexpr std::uint64_t kInt64Max = std::numeric_limits<std::int64_t>::max();
  if (parameter.kind == Kind::kUint64) return parameter.varint;
  if (parameter.kind == Kind::kInt64 && parameter.varint <= kInt64Max) return parameter.varint;
  return std::nullopt;
}

Status ReadTimeout(const Parameter& parameter, InferRequest& request) {
  const std::optional<std::uint64_t> timeout = WholeNumber(parameter);
  if (!timeout.has_value() || *timeout > std::numeric_limits<std::int64_t>::max()) {
    return ParameterError(parameter, "an int64_param of 0 or more is expected, in microseconds");
  }
  request.timeout_us = static_cast<std::int64_t>(*timeout);
  return {};
}

Status CheckPlace(const Parameter& parameter, std::string_view side, std::string_view name) {
  if (!parameter.name.starts_with("shared_memory_")) return {};
  return Unimplemented(StrCat(side, " '", Printable(name), "': parameter '",
                              Printable(parameter.name),
                              "': shared memory is not served; send the tensor in the message"));
}

}  // namespace

Status ReadRequestParameter(std::string_view entry, InferRequest& request) {
  const Parameter parameter = Decode(entry);
  const std::string_view name = parameter.name;
  if (name == "priority") {
    const std::optional<std::uint64_t> priority = WholeNumber(parameter);
    if (!priority.has_value()) {
      return ParameterError(parameter, "a uint64_param or int64_param of 0 or more is expected");
    }
    request.priority = *priority;
    return {};
  }
  if (name == "timeout") return ReadTimeout(parameter, request);
  if (name == "sequence_id") {
    const bool known = parameter.kind == Kind::kInt64 || parameter.kind == Kind::kUint64 ||
                       parameter.kind == Kind::kString;
    if (known) return {};
    return ParameterError(parameter, "an int64_param, uint64_param or string_param is expected");
  }
  if (name == "sequence_start" || name == "sequence_end" ||
      name == "triton_enable_empty_final_response") {
    if (parameter.kind == Kind::kBool) return {};
    return ParameterError(parameter, "a bool_param is expected");
  }
  if (name.starts_with("triton_") || name == "headers" || name == "binary_data_output") {
    return ParameterError(parameter, "the name is reserved");
  }
  return {};
}

Status CheckInputParameter(std::string_view entry, std::string_view name) {
  return CheckPlace(Decode(entry), "input", name);
}

Status ReadOutputParameter(std::string_view entry, InferRequest& request) {
  const Parameter parameter = Decode(entry);
  const std::string_view name = request.requested_outputs.back();
  RETURN_IF_ERROR(CheckPlace(parameter, "output", name));
  if (parameter.name != "classification") return {};
  const std::optional<std::uint64_t> count = WholeNumber(parameter);
  if (!count.has_value() || *count == 0 || *count > std::numeric_limits<std::int64_t>::max()) {
    return InvalidArgument(StrCat("output '", Printable(name),
                                  "': parameter 'classification': an int64_param of 1 or more is "
                                  "expected, how many of the largest values to answer"));
  }
  const std::size_t output = request.requested_outputs.size() - 1;
  // A map's key that comes twice counts as it came last.
  if (request.classes.empty() || request.classes.back().output != output) {
    request.classes.push_back({.output = output});
  }
  request.classes.back().count = static_cast<std::int64_t>(*count);
  return {};
}

}  // namespace penstock::wire
