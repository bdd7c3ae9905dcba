// Parameters of requests, inputs and outputs, as clients send them and as they should not.
#include "wire/infer_parameters.h"

#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include <functional>

#include "support/infer_messages.h"

namespace penstock::wire {
namespace {

using protozero::pbf_writer;
using Value = std::function<void(pbf_writer&)>;

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

Value Bool(bool value) {
  return [value](pbf_writer& writer) { writer.add_bool(1, value); };
}
Value Int64(std::int64_t value) {
  return [value](pbf_writer& writer) { writer.add_int64(2, value); };
}
Value String(const std::string& value) {
  return [value](pbf_writer& writer) { writer.add_string(3, value); };
}
Value Double(double value) {
  return [value](pbf_writer& writer) { writer.add_double(4, value); };
}
Value Uint64(std::uint64_t value) {
  return [value](pbf_writer& writer) { writer.add_uint64(5, value); };
}
const Value kUnset = [](pbf_writer&) {};

void AddParameter(pbf_writer& message, protozero::pbf_tag_type tag, const std::string& name,
                  const Value& value) {
  pbf_writer entry(message, tag);
  entry.add_string(1, name);
  pbf_writer encoded(entry, 2);
  value(encoded);
}

// The status of a request with this one parameter.
Status Decode(const std::string& name, const Value& value, InferRequest& request) {
  std::string message = EncodeRequest("mlp", "", {{"x", {1}, {1}}});
  {
    pbf_writer writer(message);
    AddParameter(writer, 4, name, value);
  }
  return DecodeInferRequest(BytesOf(message), request);
}

TEST(InferParametersTest, PriorityAndTimeout_AreRead) {
  InferRequest request;
  ASSERT_TRUE(Decode("priority", Uint64(3), request).ok());
  EXPECT_EQ(request.priority, 3U);
  EXPECT_EQ(request.timeout_us, std::nullopt);
  ASSERT_TRUE(Decode("priority", Int64(2), request).ok());
  EXPECT_EQ(request.priority, 2U);
  ASSERT_TRUE(Decode("timeout", Int64(5000), request).ok());
  EXPECT_EQ(request.timeout_us, 5000);
  EXPECT_EQ(request.priority, 0U) << "the request before is forgotten";
  ASSERT_TRUE(Decode("timeout", Uint64(7), request).ok());
  EXPECT_EQ(request.timeout_us, 7);
}

TEST(InferParametersTest, LastOfTwoEntries_Counts) {
  std::string message;
  {
    pbf_writer writer(message);
    AddParameter(writer, 4, "priority", Uint64(1));
    AddParameter(writer, 4, "priority", Uint64(9));
  }
  InferRequest request;
  ASSERT_TRUE(DecodeInferRequest(BytesOf(message), request).ok());
  EXPECT_EQ(request.priority, 9U);
}

TEST(InferParametersTest, WhatClientsSend_IsAccepted) {
  const std::vector<std::pair<std::string, Value>> accepted = {
      {"sequence_id", Int64(42)},
      {"sequence_id", Uint64(42)},
      {"sequence_id", String("a")},
      {"sequence_start", Bool(true)},
      {"sequence_end", Bool(false)},
      {"triton_enable_empty_final_response", Bool(true)},
      {"custom", Bool(true)},
      {"custom", Double(0.5)},
      {"custom", String("text")},
      {"custom", kUnset},
      {"", Int64(1)},
  };
  InferRequest request;
  for (const auto& [name, value] : accepted) {
    EXPECT_TRUE(Decode(name, value, request).ok()) << name;
  }
}

TEST(InferParametersTest, WhatClientsMustNotSend_IsRefused) {
  const std::string number = "a uint64_param or int64_param of 0 or more is expected";
  const std::string timeout = "an int64_param of 0 or more is expected, in microseconds";
  const std::string flag = "a bool_param is expected";
  const std::string reserved = "the name is reserved";
  const std::vector<std::tuple<std::string, Value, std::string>> refused = {
      {"priority", Int64(-1), number},
      {"priority", String("1"), number},
      {"priority", kUnset, number},
      {"timeout", Int64(-1), timeout},
      {"timeout", Double(1), timeout},
      {"timeout", Uint64(std::uint64_t{1} << 63), timeout},
      {"sequence_id", Bool(true), "an int64_param, uint64_param or string_param is expected"},
      {"sequence_start", Int64(1), flag},
      {"sequence_end", String("true"), flag},
      {"triton_enable_empty_final_response", Int64(1), flag},
      {"triton_final_response", Bool(true), reserved},
      {"triton_anything", Bool(true), reserved},
      {"headers", String("a"), reserved},
      {"binary_data_output", Bool(true), reserved},
  };
  InferRequest request;
  for (const auto& [name, value, says] : refused) {
    const Status status = Decode(name, value, request);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(status.message(), "parameter '" + name + "': " + says);
  }
}

TEST(InferParametersTest, TensorParametersThatAreNotServed_AreUnimplemented) {
  const auto decode = [](protozero::pbf_tag_type field, const std::string& name) {
    std::string message;
    {
      pbf_writer writer(message);
      pbf_writer tensor(writer, field);
      tensor.add_string(1, "t");
      AddParameter(tensor, field == 5 ? 4 : 2, name, Int64(1));
    }
    InferRequest request;
    return DecodeInferRequest(BytesOf(message), request);
  };
  constexpr protozero::pbf_tag_type kInput = 5;
  constexpr protozero::pbf_tag_type kOutput = 6;
  for (const std::string name :
       {"shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"}) {
    EXPECT_EQ(decode(kInput, name).code(), StatusCode::kUnimplemented);
    EXPECT_EQ(decode(kInput, name).message(),
              "input 't': parameter '" + name +
                  "': shared memory is not served; send the tensor in the message");
    EXPECT_EQ(decode(kOutput, name).code(), StatusCode::kUnimplemented);
  }
  EXPECT_TRUE(decode(kInput, "binary_data_size").ok());
  EXPECT_TRUE(decode(kOutput, "binary_data").ok());
}

// A request for the outputs 'a' and 't'; `values` are those of the second's `classification`.
std::string RequestClasses(const std::vector<Value>& values) {
  std::string message;
  pbf_writer writer(message);
  pbf_writer(writer, 6).add_string(1, "a");
  pbf_writer tensor(writer, 6);
  tensor.add_string(1, "t");
  for (const Value& value : values) AddParameter(tensor, 2, "classification", value);
  tensor.commit();
  return message;
}

TEST(InferParametersTest, Classification_GoesToItsOutput) {
  InferRequest request;
  const std::string message = RequestClasses({Int64(7), Int64(3)});
  const Status status = DecodeInferRequest(BytesOf(message), request);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_EQ(request.classes.size(), 1U);
  EXPECT_EQ(request.classes[0].output, 1U);
  EXPECT_EQ(request.classes[0].count, 3);
  const std::string without = RequestClasses({});
  ASSERT_TRUE(DecodeInferRequest(BytesOf(without), request).ok());
  EXPECT_TRUE(request.classes.empty());
}

TEST(InferParametersTest, Classification_WhatIsNoCount_IsRefused) {
  for (const Value& value : {Int64(0), Int64(-1), Uint64(0), String("3"), Bool(true)}) {
    InferRequest request;
    const std::string message = RequestClasses({value});
    EXPECT_EQ(DecodeInferRequest(BytesOf(message), request).ToString(),
              "INVALID_ARGUMENT: output 't': parameter 'classification': an int64_param of 1 or "
              "more is expected, how many of the largest values to answer");
  }
}

TEST(InferParametersTest, MalformedEntry_IsRefused) {
  InferRequest request;
  const std::string entry_without_end = "\x22\x03\x0a\x7fx";
  const Status status = DecodeInferRequest(BytesOf(entry_without_end), request);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(status.message().starts_with("ModelInferRequest: malformed")) << status.message();
}

}  // namespace
}  // namespace penstock::wire
