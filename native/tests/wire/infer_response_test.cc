// Responses, read back by another library.
#include "wire/infer_response.h"

#include <gtest/gtest.h>

#include <array>

#include "support/infer_messages.h"
#include "support/random_source.h"

namespace penstock::wire {
namespace {

std::string Encode(const InferResponse& response, const std::shared_ptr<const void>& owner = {}) {
  ByteQueue queue;
  EncodeInferResponse(response, owner, queue);
  EXPECT_EQ(queue.pending_bytes(), InferResponseSize(response));
  std::vector<iovec> slices(100);
  const std::size_t count = queue.Slices(slices);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text.append(static_cast<const char*>(slices[i].iov_base), slices[i].iov_len);
  }
  return text;
}

TEST(InferResponseTest, Fields_ComeBack) {
  const std::array<float, 6> values = {1, 2, 3, 4, 5, 6};
  const std::vector<InferOutput> outputs = {
      {"y", DataType::kFp32, {2, 3}, std::as_bytes(std::span(values))},
      {"scalar", DataType::kFp32, {}, std::as_bytes(std::span(values)).first(4)},
      {"empty", DataType::kInt64, {0, 5}, {}}};
  const std::vector<InferParameter> parameters = {{"n", 300}, {"negative", -1}, {"zero", 0}};
  const Response response = DecodeResponse(Encode({.model_name = "mlp",
                                                   .model_version = "12",
                                                   .id = "request",
                                                   .parameters = parameters,
                                                   .outputs = outputs}));
  EXPECT_EQ(response.model, "mlp");
  EXPECT_EQ(response.version, "12");
  EXPECT_EQ(response.id, "request");
  EXPECT_EQ(response.parameters, (std::vector<std::pair<std::string, std::int64_t>>{
                                     {"n", 300}, {"negative", -1}, {"zero", 0}}));
  ASSERT_EQ(response.outputs.size(), 3U);
  EXPECT_EQ(response.outputs[0].name, "y");
  EXPECT_EQ(response.outputs[0].datatype, "FP32");
  EXPECT_EQ(response.outputs[0].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(response.Floats(0), std::vector<float>(values.begin(), values.end()));
  EXPECT_TRUE(response.outputs[1].shape.empty());
  EXPECT_EQ(response.outputs[1].raw.size(), 4U);
  EXPECT_EQ(response.outputs[2].datatype, "INT64");
  EXPECT_EQ(response.outputs[2].shape, (std::vector<std::int64_t>{0, 5}));
  EXPECT_EQ(response.outputs[2].raw, "");
}

TEST(InferResponseTest, NothingAtAll_IsNoBytes) {
  EXPECT_EQ(Encode({}), "");
}

// Around every length at which a varint grows, and where copying turns into borrowing.
TEST(InferResponseTest, EverySize_IsExact) {
  RandomSource random(RandomSource::Seed(3));
  for (const std::size_t size :
       {0U, 1U, 127U, 128U, 16'383U, 16'384U, 16'385U, 100'000U, 2'097'151U, 2'097'152U}) {
    SCOPED_TRACE(size);
    const std::vector<std::byte> data = random.Bytes(size);
    const std::string id = random.Text(size % 300);
    const std::vector<InferOutput> outputs = {
        {"a", DataType::kUint8, {static_cast<std::int64_t>(size)}, data},
        {"b", DataType::kUint8, {static_cast<std::int64_t>(size)}, data}};
    const Response response = DecodeResponse(Encode({.id = id, .outputs = outputs}));
    EXPECT_EQ(response.id, id);
    ASSERT_EQ(response.outputs.size(), 2U);
    for (const Response::Output& output : response.outputs) {
      EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(output.raw)), data));
      EXPECT_EQ(output.shape[0], static_cast<std::int64_t>(size));
    }
  }
}

TEST(InferResponseTest, LargeOutput_IsBorrowedAndKeptAlive) {
  const auto owner = std::make_shared<std::vector<std::byte>>(kOutputCopyMax + 1);
  const std::vector<InferOutput> outputs = {
      {"small", DataType::kUint8, {4}, std::span(*owner).first(kOutputCopyMax)},
      {"large", DataType::kUint8, {4}, *owner}};
  ByteQueue queue;
  EncodeInferResponse({.outputs = outputs}, owner, queue);
  EXPECT_EQ(owner.use_count(), 2) << "the small one was copied";
  queue.Sent(queue.pending_bytes());
  EXPECT_EQ(owner.use_count(), 1);
}

}  // namespace
}  // namespace penstock::wire
