// Requests written by another library, cut at every byte, and changed at random.
#include "wire/infer_request.h"

#include <gtest/gtest.h>

#include <optional>

#include "support/infer_messages.h"
#include "support/random_source.h"

namespace penstock::wire {
namespace {

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string Sample() {
  std::string message =
      EncodeRequest("mlp", "id-7", {{"a", {2, 3}, {1, 2, 3, 4, 5, 6}}, {"b", {}, {7}}});
  protozero::pbf_writer writer(message);
  writer.add_string(2, "3");
  protozero::pbf_writer(writer, 6).add_string(1, "y");
  return message;
}

TEST(InferRequestTest, Fields_AreViewsIntoTheMessage) {
  const std::string message = Sample();
  InferRequest request;
  ASSERT_TRUE(DecodeInferRequest(BytesOf(message), request).ok());
  EXPECT_EQ(request.model_name, "mlp");
  EXPECT_EQ(request.model_version, "3");
  EXPECT_EQ(request.id, "id-7");
  ASSERT_EQ(request.inputs.size(), 2U);
  EXPECT_EQ(request.inputs[0].name, "a");
  EXPECT_EQ(request.inputs[0].datatype, "FP32");
  EXPECT_EQ(request.inputs[0].shape, (Shape{2, 3}));
  EXPECT_FALSE(request.inputs[0].has_contents);
  EXPECT_EQ(request.inputs[1].shape, Shape());
  EXPECT_EQ(request.requested_outputs, std::vector<std::string_view>{"y"});
  ASSERT_EQ(request.raw_input_contents.size(), 2U);
  EXPECT_EQ(request.raw_input_contents[0].size(), 24U);
  for (const auto& raw : request.raw_input_contents) {
    EXPECT_GE(raw.data(), BytesOf(message).data());
    EXPECT_LE(raw.data() + raw.size(), BytesOf(message).data() + message.size());
  }
}

TEST(InferRequestTest, SecondDecode_ForgetsTheFirst) {
  InferRequest request;
  ASSERT_TRUE(DecodeInferRequest(BytesOf(Sample()), request).ok());
  ASSERT_TRUE(DecodeInferRequest({}, request).ok());
  EXPECT_TRUE(request.model_name.empty() && request.model_version.empty() && request.id.empty());
  EXPECT_TRUE(request.inputs.empty() && request.raw_input_contents.empty());
  EXPECT_TRUE(request.requested_outputs.empty());
}

TEST(InferRequestTest, UnpackedShape_IsRead) {
  std::string message;
  {
    protozero::pbf_writer request(message);
    protozero::pbf_writer tensor(request, 5);
    for (const std::int64_t dim : {3, -1, 5}) tensor.add_int64(3, dim);
  }
  InferRequest request;
  ASSERT_TRUE(DecodeInferRequest(BytesOf(message), request).ok());
  EXPECT_EQ(request.inputs[0].shape, (Shape{3, -1, 5}));
}

TEST(InferRequestTest, UnknownFields_AreSkipped) {
  std::string message = Sample();
  {
    protozero::pbf_writer writer(message);
    writer.add_uint64(1000, 5);
    writer.add_fixed32(1001, 6);
    writer.add_double(1002, 7);
    writer.add_uint64(1, 9);  // a known field of another wire type
  }
  InferRequest request;
  ASSERT_TRUE(DecodeInferRequest(BytesOf(message), request).ok());
  EXPECT_EQ(request.model_name, "mlp");
}

TEST(InferRequestTest, TypedContents_AreNoticed) {
  std::string message;
  {
    protozero::pbf_writer request(message);
    protozero::pbf_writer tensor(request, 5);
    protozero::pbf_writer contents(tensor, 5);
    const std::vector<float> values = {1};
    contents.add_packed_float(6, values.begin(), values.end());
  }
  InferRequest request;
  ASSERT_TRUE(DecodeInferRequest(BytesOf(message), request).ok());
  EXPECT_TRUE(request.inputs[0].has_contents);
  EXPECT_EQ(request.inputs[0].contents.size(), 6U);
}

TEST(InferRequestTest, ContentsTwice_AreRefused) {
  std::string message;
  {
    protozero::pbf_writer request(message);
    protozero::pbf_writer tensor(request, 5);
    tensor.add_string(1, "x");
    tensor.add_string(5, "");
    tensor.add_string(5, "");
  }
  InferRequest request;
  EXPECT_EQ(DecodeInferRequest(BytesOf(message), request).message(),
            "input 'x': contents given more than once");
}

TEST(InferRequestTest, IdOfNoText_IsRefused) {
  InferRequest request;
  EXPECT_EQ(DecodeInferRequest(BytesOf(EncodeRequest("m", "\xc0\x80", {})), request).message(),
            "ModelInferRequest: id is not UTF-8");
  EXPECT_TRUE(DecodeInferRequest(BytesOf(EncodeRequest("m", "\u00e4\u20ac", {})), request).ok());
}

TEST(InferRequestTest, NineDimensions_AreRefusedNotCounted) {
  InferRequest request;
  const Status status = DecodeInferRequest(
      BytesOf(EncodeRequest("m", "", {{"x", {1, 1, 1, 1, 1, 1, 1, 1, 1}, {}}})), request);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "input 'x': more than 8 dimensions");
}

// A few bytes each on the wire must not buy much memory.
TEST(InferRequestTest, CountlessEntries_AreRefused) {
  for (const protozero::pbf_tag_type tag : {5, 6, 7}) {
    std::string message;
    protozero::pbf_writer writer(message);
    for (int i = 0; i < 2000; ++i) writer.add_string(tag, "");
    InferRequest request;
    EXPECT_EQ(DecodeInferRequest(BytesOf(message), request).code(), StatusCode::kInvalidArgument);
  }
}

TEST(InferRequestTest, EveryTruncation_IsRefusedOrAPrefixOfFields) {
  const std::string message = Sample();
  InferRequest request;
  std::size_t whole_fields = 0;
  for (std::size_t size = 0; size < message.size(); ++size) {
    // On the heap and no byte longer, so that a sanitizer sees what reads past it.
    const std::vector<char> part(message.begin(),
                                 message.begin() + static_cast<std::ptrdiff_t>(size));
    const Status status = DecodeInferRequest(std::as_bytes(std::span(part)), request);
    if (status.ok()) {
      ++whole_fields;
    } else {
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
      EXPECT_TRUE(status.message().starts_with("ModelInferRequest: malformed")) << status.message();
    }
  }
  EXPECT_EQ(whole_fields, 8U) << "a message may end between two fields";
}

TEST(InferRequestTest, ChangedAndRandomBytes_NeverReachOutside) {
  RandomSource random(RandomSource::Seed(1));
  const std::string sample = Sample();
  InferRequest request;
  for (int i = 0; i < 100'000; ++i) {
    std::vector<std::byte> bytes = random.Bytes(random.Below(60));
    if (!random.OneIn(4)) {
      bytes.assign(BytesOf(sample).begin(), BytesOf(sample).end());
      for (std::size_t n = 1 + random.Below(4); n > 0; --n) {
        bytes[random.Below(bytes.size())] = static_cast<std::byte>(random.Below(256));
      }
    }
    ReadRequestHead(bytes).first_raw_tensor;
    if (!DecodeInferRequest(bytes, request).ok()) continue;
    for (const auto& raw : request.raw_input_contents) {
      ASSERT_GE(raw.data(), bytes.data());
      ASSERT_LE(raw.data() + raw.size(), bytes.data() + bytes.size());
    }
  }
}

TEST(InferRequestTest, ReadRequestHead_IsWhereItsBytesBegin) {
  const std::string message =
      EncodeRequest("mlp", "id", {{"a", {2, 2}, {1, 2, 3, 4}}, {"b", {1}, {7}}});
  InferRequest request;
  ASSERT_TRUE(DecodeInferRequest(BytesOf(message), request).ok());
  const auto expected =
      static_cast<std::size_t>(request.raw_input_contents[0].data() - BytesOf(message).data());
  for (std::size_t size = 0; size <= message.size(); ++size) {
    const std::optional<std::size_t> offset =
        ReadRequestHead(BytesOf(message).first(size)).first_raw_tensor;
    if (size >= expected) {
      EXPECT_EQ(offset, expected);
    } else {
      EXPECT_EQ(offset, std::nullopt) << size;
    }
  }
}

TEST(InferRequestTest, ReadRequestHead_OfHugeLengths) {
  // A length of 2^64-1, and keys that never end.
  EXPECT_EQ(
      ReadRequestHead(BytesOf("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")).first_raw_tensor,
      std::nullopt);
  EXPECT_EQ(ReadRequestHead(BytesOf(std::string(100, '\xff'))).first_raw_tensor, std::nullopt);
  EXPECT_EQ(ReadRequestHead({}).first_raw_tensor, std::nullopt);
}

}  // namespace
}  // namespace penstock::wire
