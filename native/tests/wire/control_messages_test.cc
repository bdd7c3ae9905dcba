// The control messages against bytes worked out by hand from the protobuf encoding, so that a
// mistake shared by reader and writer still shows. Real protobuf peers check them in
// tests/conformance.
#include "wire/control_messages.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace penstock::wire {
namespace {

using namespace std::string_literals;
using Kind = ReflectionRequest::Kind;

std::span<const std::byte> Bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

constexpr std::string_view kNameAndVersion =
    "\x0a\x04"
    "mlp1"
    "\x12\x02"
    "17";

// Every proper prefix of `message` either is a message of its own (it ends between two fields) or
// is refused with a message that names the type; nothing crashes or reads on (ASan watches).
template <typename Decode>
int CountRefusedPrefixes(std::string_view message, std::string_view type, const Decode& decode) {
  int refused = 0;
  for (std::size_t len = 0; len < message.size(); ++len) {
    const std::string prefix(message.substr(0, len));  // own allocation: no byte behind it
    const auto decoded = decode(Bytes(prefix));
    if (decoded.ok()) continue;
    ++refused;
    EXPECT_EQ(decoded.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(decoded.status().message(),
              std::string(type) + ": " + std::to_string(len) +
                  " bytes that are no protobuf message: the last field is cut off");
  }
  return refused;
}

TEST(DecodeModelMetadataRequest, NameAndVersion_AreViewsOfTheMessage) {
  const Result<ModelMetadataRequest> request = DecodeModelMetadataRequest(Bytes(kNameAndVersion));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request.value().name, "mlp1");
  EXPECT_EQ(request.value().version, "17");
  EXPECT_EQ(request.value().name.data(), kNameAndVersion.data() + 2);
}

TEST(DecodeModelMetadataRequest, NoBytes_IsAnEmptyRequest) {
  const Result<ModelMetadataRequest> request = DecodeModelMetadataRequest({});
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request.value().name, "");
  EXPECT_EQ(request.value().version, "");
}

TEST(DecodeModelMetadataRequest, Truncated_IsInvalidArgument) {
  // 10 bytes; only lengths 0 and 6 end between two fields.
  EXPECT_EQ(
      CountRefusedPrefixes(kNameAndVersion, "ModelMetadataRequest", DecodeModelMetadataRequest), 8);
}

TEST(DecodeModelReadyRequest, Truncated_IsInvalidArgument) {
  EXPECT_EQ(CountRefusedPrefixes(kNameAndVersion, "ModelReadyRequest", DecodeModelReadyRequest), 8);
}

TEST(DecodeModelReadyRequest, RepeatedField_LastOneCounts) {
  const Result<ModelReadyRequest> request =
      DecodeModelReadyRequest(Bytes("\x0a\x01"
                                    "a\x0a\x01"
                                    "b"));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request.value().name, "b");
}

TEST(DecodeModelReadyRequest, UnknownFieldsOfEveryWireType_AreSkipped) {
  const std::string message =
      "\x18\x96\x01"s                          // 3: varint
      "\x21\x01\x02\x03\x04\x05\x06\x07\x08"s  // 4: 64-bit
      "\x0a\x04"
      "mlp1"s                        // 1: the name, in the middle
      "\x2a\x03xyz"s                 // 5: bytes
      "\x35\x01\x02\x03\x04"s        // 6: 32-bit
      "\xfa\xff\xff\xff\x0f\x01z"s;  // 2^29-1, the largest number: bytes
  const Result<ModelReadyRequest> request = DecodeModelReadyRequest(Bytes(message));
  ASSERT_TRUE(request.ok()) << request.status().ToString();
  EXPECT_EQ(request.value().name, "mlp1");
}

TEST(DecodeModelReadyRequest, KnownFieldOfAnotherWireType_IsSkipped) {
  const Result<ModelReadyRequest> request =
      DecodeModelReadyRequest(Bytes("\x08\x05\x12\x01"
                                    "3"));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request.value().name, "");
  EXPECT_EQ(request.value().version, "3");
}

struct MalformedCase {
  std::string bytes;
  std::string_view reason;
};

TEST(DecodeModelReadyRequest, Malformed_SaysWhy) {
  const std::array cases = {
      MalformedCase{"\x0a\xff\xff\xff\xff\x0f"s, "the last field is cut off"},
      MalformedCase{"\x08" + std::string(11, '\xff'), "a varint is longer than 10 bytes"},
      MalformedCase{"\x0b"s, "a field has an unknown wire type"},  // a group
      MalformedCase{"\x0f"s, "a field has an unknown wire type"},
      MalformedCase{"\x02\x01"
                    "a"s,
                    "a field number is out of range"},  // number 0
  };
  for (const MalformedCase& malformed : cases) {
    const Result<ModelReadyRequest> request = DecodeModelReadyRequest(Bytes(malformed.bytes));
    ASSERT_FALSE(request.ok()) << malformed.reason;
    EXPECT_EQ(request.status().code(), StatusCode::kInvalidArgument);
    EXPECT_TRUE(request.status().message().ends_with(malformed.reason))
        << request.status().message();
  }
}

TEST(CheckEmptyRequest, EmptyOrUnknownFields_IsOk) {
  EXPECT_TRUE(CheckEmptyRequest({}, "ServerLiveRequest").ok());
  EXPECT_TRUE(CheckEmptyRequest(Bytes(kNameAndVersion), "ServerLiveRequest").ok());
}

TEST(CheckEmptyRequest, Truncated_NamesTheMessage) {
  EXPECT_EQ(CheckEmptyRequest(Bytes("\x0a\x04"
                                    "ml"),
                              "ServerLiveRequest")
                .ToString(),
            "INVALID_ARGUMENT: ServerLiveRequest: 4 bytes that are no protobuf message: the last "
            "field is cut off");
}

TEST(EncodeBoolResponses, TrueIsAField_FalseIsNothing) {
  EXPECT_EQ(EncodeServerLiveResponse(true), "\x08\x01");
  EXPECT_EQ(EncodeServerReadyResponse(true), "\x08\x01");
  EXPECT_EQ(EncodeModelReadyResponse(true), "\x08\x01");
  EXPECT_EQ(EncodeServerLiveResponse(false), "");
  EXPECT_EQ(EncodeServerReadyResponse(false), "");
  EXPECT_EQ(EncodeModelReadyResponse(false), "");
}

TEST(EncodeServerMetadataResponse, AllFields_InOrder) {
  EXPECT_EQ(EncodeServerMetadataResponse(
                {.name = "penstock", .version = "0.1", .extensions = {"parameters", "x"}}),
            "\x0a\x08penstock\x12\x03"
            "0.1\x1a\x0aparameters\x1a\x01x");
}

TEST(EncodeModelMetadataResponse, FreeDimension_IsMinusOne) {
  const ModelMetadata metadata = {
      .name = "m",
      .versions = {"1", "2"},
      .inputs = {{.name = "x", .dtype = DataType::kFp32, .shape = {-1, 64}}},
      .outputs = {{.name = "y", .dtype = DataType::kInt64, .shape = {}}},
  };
  const std::string minus_one = std::string(9, '\xff') + "\x01";
  EXPECT_EQ(EncodeModelMetadataResponse(metadata),
            "\x0a\x01m\x12\x01"
            "1\x12\x01"
            "2\x1a\x10onnxruntime_onnx"
            "\x22\x16\x0a\x01x\x12\x04"
            "FP32\x1a\x0b" +
                minus_one +
                "\x40"
                "\x2a\x0a\x0a\x01y\x12\x05INT64");
}

TEST(EncodeModelMetadataResponse, LongNames_KeepTheirLengths) {
  const std::string name(300, 'n');  // its length takes two bytes
  const ModelMetadata metadata = {
      .name = "",
      .versions = {},
      .platform = "",
      .inputs = {{.name = name, .dtype = DataType::kBool, .shape = {2}}},
      .outputs = {},
  };
  EXPECT_EQ(EncodeModelMetadataResponse(metadata), "\x22\xb8\x02\x0a\xac\x02" + name +
                                                       "\x12\x04"
                                                       "BOOL\x1a\x01\x02");
}

TEST(HealthCheck, RequestAndResponse_MatchTheStandard) {
  const std::string_view message =
      "\x0a\x03"
      "abc";
  EXPECT_EQ(DecodeHealthCheckRequest(Bytes(message)).value().service, "abc");
  EXPECT_EQ(CountRefusedPrefixes(message, "HealthCheckRequest", DecodeHealthCheckRequest), 4);
  EXPECT_EQ(EncodeHealthCheckResponse(ServingStatus::kUnknown), "");
  EXPECT_EQ(EncodeHealthCheckResponse(ServingStatus::kServing), "\x08\x01");
  EXPECT_EQ(EncodeHealthCheckResponse(ServingStatus::kNotServing), "\x08\x02");
}

TEST(EncodeModelStatisticsResponse, Durations_AreOfItsCalls) {
  ModelStatistics model = {.name = "m", .version = "1", .last_inference_ms = 5};
  model.counts.calls[0] = 2;
  model.counts.calls[4] = 1;
  model.counts.failed_time = 7;
  model.counts.rows = 3;
  model.counts.stages[0].sum = 1;
  model.counts.stages[1].sum = 10;
  model.counts.stages[2].sum = 4;
  model.counts.stages[3].sum = 20;
  model.counts.stages[4].sum = 2;
  model.counts.total.sum = 37;
  model.counts.run.counts[2] = 1;
  const std::array models = {model};
  EXPECT_EQ(EncodeModelStatisticsResponse(models),
            "\x0a\x32\x0a\x01m\x12\x01\x31\x18\x05\x20\x03\x28\x01\x32\x24"
            "\x0a\x04\x08\x02\x10\x25"    // success
            "\x12\x04\x08\x01\x10\x07"    // fail
            "\x1a\x04\x08\x02\x10\x0a"    // queue
            "\x22\x04\x08\x02\x10\x05"    // compute_input: decoded and prepared
            "\x2a\x04\x08\x02\x10\x14"    // compute_infer
            "\x32\x04\x08\x02\x10\x02");  // compute_output
}

TEST(EncodeModelConfigResponse, WhatIsNotReal_IsLeftOut) {
  EXPECT_EQ(EncodeModelConfigResponse({.name = "m", .max_batch_size = 8, .max_queue_delay_us = 5}),
            "\x0a\x29\x0a\x01m\x12\x10onnxruntime_onnx\x20\x08\x5a\x02\x10\x05"
            "\x8a\x01\x0bonnxruntime");
  EXPECT_EQ(EncodeModelConfigResponse({.name = "m", .max_batch_size = 2}),
            "\x0a\x27\x0a\x01m\x12\x10onnxruntime_onnx\x20\x02\x5a\x00"s
            "\x8a\x01\x0bonnxruntime"s);
  EXPECT_EQ(EncodeModelConfigResponse({.name = "m"}),
            "\x0a\x23\x0a\x01m\x12\x10onnxruntime_onnx\x8a\x01\x0bonnxruntime");
}

TEST(EncodeModelConfigResponse, BatchedTensors_AreTheirRows) {
  const std::array inputs = {
      TensorSpec{.name = "x", .dtype = DataType::kFp32, .shape = {-1, 3}},
      TensorSpec{.name = "s", .dtype = DataType::kBytes, .shape = {-1}},
      TensorSpec{.name = "h", .dtype = DataType::kBf16, .shape = {-1, -1}},
  };
  const std::array outputs = {TensorSpec{.name = "y", .dtype = DataType::kInt64, .shape = {2, 4}}};
  EXPECT_EQ(EncodeModelConfigResponse(
                {.name = "m", .max_batch_size = 1, .inputs = inputs, .outputs = outputs}),
            "\x0a\x53\x0a\x01m\x12\x10onnxruntime_onnx\x20\x01"
            "\x2a\x08\x0a\x01x\x10\x0b\x22\x01\x03"
            "\x2a\x05\x0a\x01s\x10\x0d"
            "\x2a\x11\x0a\x01h\x10\x0e\x22\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
            "\x32\x08\x0a\x01y\x10\x09\x1a\x01\x04"
            "\x8a\x01\x0bonnxruntime");
  EXPECT_EQ(EncodeModelConfigResponse({.name = "m", .outputs = outputs}),
            "\x0a\x2e\x0a\x01m\x12\x10onnxruntime_onnx"
            "\x32\x09\x0a\x01y\x10\x09\x1a\x02\x02\x04"
            "\x8a\x01\x0bonnxruntime");
}

TEST(DecodeReflectionRequest, EachQuestion_HasItsKind) {
  const std::array<std::pair<std::string_view, Kind>, 6> cases = {{
      {"\x0a\x01h", Kind::kNone},
      {"\x0a\x01h\x1a\x02xy", Kind::kFileByFilename},
      {"\x0a\x01h\x22\x02xy", Kind::kFileContainingSymbol},
      {"\x0a\x01h\x2a\x02\x10\x05", Kind::kFileContainingExtension},
      {"\x0a\x01h\x32\x02xy", Kind::kAllExtensionNumbersOfType},
      {"\x0a\x01h\x3a\x02xy", Kind::kListServices},
  }};
  for (const auto& [message, kind] : cases) {
    const Result<ReflectionRequest> request = DecodeReflectionRequest(Bytes(message));
    ASSERT_TRUE(request.ok());
    EXPECT_EQ(request.value().kind, kind);
    EXPECT_EQ(request.value().host, "h");
    EXPECT_EQ(request.value().argument.size(), kind == Kind::kNone ? 0U : 2U);
    EXPECT_EQ(request.value().original.data(), Bytes(message).data());
    EXPECT_EQ(request.value().original.size(), message.size());
  }
}

TEST(DecodeReflectionRequest, TwoQuestions_LastOneCounts) {
  const Result<ReflectionRequest> request =
      DecodeReflectionRequest(Bytes("\x1a\x01"
                                    "f\x22\x01s"));
  EXPECT_EQ(request.value().kind, Kind::kFileContainingSymbol);
  EXPECT_EQ(request.value().argument, "s");
}

TEST(DecodeReflectionRequest, Truncated_IsInvalidArgument) {
  EXPECT_EQ(CountRefusedPrefixes("\x0a\x01h\x22\x02xy", "ServerReflectionRequest",
                                 DecodeReflectionRequest),
            5);
}

TEST(EncodeReflection, Responses_CarryTheRequestBack) {
  const std::string_view message = "\x0a\x01h\x3a\x01*";
  const ReflectionRequest request = DecodeReflectionRequest(Bytes(message)).value();
  const std::string head = "\x0a\x01h\x12\x06" + std::string(message);

  const std::array<std::string_view, 2> services = {"a.B", "c"};
  EXPECT_EQ(EncodeReflectionServices(request, services), head +
                                                             "\x32\x0c\x0a\x05\x0a\x03"
                                                             "a.B\x0a\x03\x0a\x01"
                                                             "c");

  const std::array<std::uint8_t, 2> file = {1, 0};
  const std::array<std::span<const std::uint8_t>, 2> files = {file, file};
  EXPECT_EQ(EncodeReflectionFiles(request, files),
            head + "\x22\x08\x0a\x02\x01\x00\x0a\x02\x01\x00"s);

  EXPECT_EQ(EncodeReflectionError(request, NotFound("no")), head + "\x3a\x06\x08\x05\x12\x02no");
}

}  // namespace
}  // namespace penstock::wire
