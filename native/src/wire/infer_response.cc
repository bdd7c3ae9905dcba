#include "wire/infer_response.h"

#include <bit>
#include <cstring>

namespace penstock::wire {
namespace {

// Keys of length-delimited fields: (number << 3) | 2. All field numbers used here are below 16.
constexpr std::byte Key(unsigned field) {
  return static_cast<std::byte>((field << 3) | 2);
}
constexpr std::byte kVarintKeyOfInt64Param{(2 << 3) | 0};

constexpr std::size_t VarintSize(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

constexpr std::size_t FieldSize(std::size_t content) {
  return 1 + VarintSize(content) + content;
}

// Strings that are empty are not sent, as proto3 does.
constexpr std::size_t StringSize(std::string_view text) {
  return text.empty() ? 0 : FieldSize(text.size());
}

std::byte* PutVarint(std::byte* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<std::byte>(value);
  return to;
}

std::byte* PutKey(std::byte* to, unsigned field, std::size_t size) {
  *to++ = Key(field);
  return PutVarint(to, size);
}

std::byte* PutString(std::byte* to, unsigned field, std::string_view text) {
  if (text.empty()) return to;
  to = PutKey(to, field, text.size());
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

std::size_t DimensionsSize(const Shape& shape) {
  std::size_t size = 0;
  for (const std::int64_t dim : shape.dims()) size += VarintSize(static_cast<std::uint64_t>(dim));
  return size;
}

// InferOutputTensor: name = 1, datatype = 2, shape = 3.
std::size_t OutputSize(const InferOutput& output) {
  const std::size_t dimensions = DimensionsSize(output.shape);
  return StringSize(output.name) + StringSize(DataTypeName(output.dtype)) +
         (dimensions == 0 ? 0 : FieldSize(dimensions));
}

std::byte* PutOutput(std::byte* to, const InferOutput& output) {
  to = PutKey(to, 5, OutputSize(output));
  to = PutString(to, 1, output.name);
  to = PutString(to, 2, DataTypeName(output.dtype));
  if (output.shape.rank() == 0) return to;
  to = PutKey(to, 3, DimensionsSize(output.shape));
  for (const std::int64_t dim : output.shape.dims()) {
    to = PutVarint(to, static_cast<std::uint64_t>(dim));
  }
  return to;
}

// A map entry {key = 1, value = 2 {int64_param = 2}}.
std::size_t ParameterValueSize(const InferParameter& parameter) {
  return 1 + VarintSize(static_cast<std::uint64_t>(parameter.value));
}

std::size_t ParameterSize(const InferParameter& parameter) {
  return StringSize(parameter.name) + FieldSize(ParameterValueSize(parameter));
}

std::byte* PutParameter(std::byte* to, const InferParameter& parameter) {
  to = PutKey(to, 4, ParameterSize(parameter));
  to = PutString(to, 1, parameter.name);
  to = PutKey(to, 2, ParameterValueSize(parameter));
  *to++ = kVarintKeyOfInt64Param;
  return PutVarint(to, static_cast<std::uint64_t>(parameter.value));
}

// Everything before the raw contents.
std::size_t HeadSize(const InferResponse& response) {
  std::size_t size = StringSize(response.model_name) + StringSize(response.model_version) +
                     StringSize(response.id);
  for (const InferParameter& parameter : response.parameters) {
    size += FieldSize(ParameterSize(parameter));
  }
  for (const InferOutput& output : response.outputs) size += FieldSize(OutputSize(output));
  return size;
}

}  // namespace

std::size_t InferResponseSize(const InferResponse& response) {
  std::size_t size = HeadSize(response);
  for (const InferOutput& output : response.outputs) size += FieldSize(output.data.size());
  return size;
}

void EncodeInferResponse(const InferResponse& response, const std::shared_ptr<const void>& owner,
                         ByteQueue& out) {
  std::byte* to = out.Extend(HeadSize(response));
  to = PutString(to, 1, response.model_name);
  to = PutString(to, 2, response.model_version);
  to = PutString(to, 3, response.id);
  for (const InferParameter& parameter : response.parameters) to = PutParameter(to, parameter);
  for (const InferOutput& output : response.outputs) to = PutOutput(to, output);
  for (const InferOutput& output : response.outputs) {
    const std::size_t key_size = 1 + VarintSize(output.data.size());
    if (output.data.size() > kOutputCopyMax) {
      PutKey(out.Extend(key_size), 6, output.data.size());
      out.AppendBorrowed(output.data, owner);
      continue;
    }
    to = PutKey(out.Extend(key_size + output.data.size()), 6, output.data.size());
    if (!output.data.empty()) std::memcpy(to, output.data.data(), output.data.size());
  }
}

}  // namespace penstock::wire
