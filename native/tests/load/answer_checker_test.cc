// AnswerChecker: golden bytes, repeat-equality, tensors within a tolerance.
#include "load/answer_checker.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/byte_queue.h"
#include "wire/infer_response.h"

namespace penstock::load {
namespace {

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

template <typename Element>
std::string Response(const std::vector<Element>& elements, DataType dtype,
                     std::string_view output = "y", std::int64_t batch_size = 0) {
  const std::vector<wire::InferOutput> outputs = {
      {.name = output,
       .dtype = dtype,
       .shape = {1, static_cast<std::int64_t>(elements.size())},
       .data = std::as_bytes(std::span(elements))}};
  const std::vector<wire::InferParameter> parameters = {
      {.name = "batch_size", .value = batch_size}};
  const wire::InferResponse response = {
      .model_name = "m", .model_version = "1", .parameters = parameters, .outputs = outputs};
  ByteQueue queue;
  wire::EncodeInferResponse(response, nullptr, queue);
  std::string message;
  std::vector<iovec> slices(16);
  slices.resize(queue.Slices(slices));
  for (const iovec& slice : slices) {
    message.append(static_cast<const char*>(slice.iov_base), slice.iov_len);
  }
  return message;
}

std::string Difference(const std::string& expected, const std::string& answer, double tolerance) {
  return TensorDifference(Bytes(expected), Bytes(answer), tolerance);
}

TEST(TensorDifference, Floats_WithinToleranceOfTheLargest_Agree) {
  const std::string expected = Response<float>({100, 0.5F, -3}, DataType::kFp32);
  const std::string near = Response<float>({100.005F, 0.495F, -3}, DataType::kFp32);
  EXPECT_EQ(Difference(expected, near, 1e-4), "");
  EXPECT_NE(Difference(expected, near, 1e-5), "");
  EXPECT_NE(Difference(expected, near, 0), "");
}

TEST(TensorDifference, Doubles_WithinTolerance_Agree) {
  const std::string expected = Response<double>({1, 2, 4}, DataType::kFp64);
  const std::string near = Response<double>({1, 2.0003, 4}, DataType::kFp64);
  EXPECT_EQ(Difference(expected, near, 1e-4), "");
  EXPECT_EQ(Difference(expected, near, 1e-5),
            "output 'y': element 1 differs by more than the tolerance");
}

TEST(TensorDifference, NanAndInfinity_AgreeWithThemselvesOnly) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const std::string odd = Response<float>({kNan, kInfinity, 1}, DataType::kFp32);
  const std::string same = Response<float>({kNan, kInfinity, 1.00001F}, DataType::kFp32);
  EXPECT_EQ(Difference(odd, same, 1e-4), "");
  for (const std::vector<float>& other : {std::vector<float>{1, kInfinity, 1},
                                          {kNan, 1, 1},
                                          {kNan, -kInfinity, 1},
                                          {kNan, kInfinity, kNan}}) {
    EXPECT_NE(Difference(odd, Response<float>(other, DataType::kFp32), 1e-4), "");
  }
}

TEST(TensorDifference, Integers_MustBeEqual) {
  const std::string expected = Response<std::int64_t>({1'000'000}, DataType::kInt64);
  const std::string next = Response<std::int64_t>({1'000'001}, DataType::kInt64);
  EXPECT_EQ(Difference(expected, next, 1e-3), "output 'y' differs");
}

TEST(TensorDifference, OtherParameters_Agree) {
  EXPECT_EQ(Difference(Response<float>({1}, DataType::kFp32, "y", 1),
                       Response<float>({1}, DataType::kFp32, "y", 32), 0),
            "");
}

TEST(TensorDifference, OtherNameTypeOrShape_Differ) {
  const std::string expected = Response<float>({1, 2}, DataType::kFp32);
  EXPECT_NE(Difference(expected, Response<float>({1, 2}, DataType::kFp32, "z"), 1), "");
  EXPECT_NE(Difference(expected, Response<float>({1, 2}, DataType::kInt32), 1), "");
  EXPECT_NE(Difference(expected, Response<float>({1, 2, 3}, DataType::kFp32), 1), "");
  EXPECT_NE(Difference(expected, "", 1), "");
  EXPECT_NE(Difference(expected, "\xff\xff garbage", 1), "");
}

LoadPayload Payload(AnswerCheck check, std::vector<std::string> expected = {}) {
  return {.messages = {"first", "second"}, .expected = std::move(expected), .check = check};
}

TEST(AnswerChecker, Bytes_Golden_NamesTheFirstDifference) {
  AnswerChecker checker({Payload(AnswerCheck::kBytes, {"abc", "xyz"})});
  EXPECT_EQ(checker.Check(0, 0, Bytes("abc")), "");
  EXPECT_EQ(checker.Check(0, 1, Bytes("xyz")), "");
  EXPECT_EQ(checker.Check(0, 0, Bytes("abd")), "answer differs at byte 2");
  EXPECT_EQ(checker.Check(0, 0, Bytes("ab")), "answer of 2 bytes, expected 3");
}

TEST(AnswerChecker, Bytes_NoGolden_FirstAnswerToEachMessageRules) {
  AnswerChecker checker({Payload(AnswerCheck::kBytes)});
  EXPECT_EQ(checker.Check(0, 0, Bytes("one")), "");
  EXPECT_EQ(checker.Check(0, 1, Bytes("two")), "");
  EXPECT_EQ(checker.Check(0, 0, Bytes("one")), "");
  EXPECT_NE(checker.Check(0, 0, Bytes("two")), "");
}

TEST(AnswerChecker, Tensors_NoGolden_GarbageDoesNotBecomeTheRule) {
  AnswerChecker checker({Payload(AnswerCheck::kTensors)});
  const std::string good = Response<float>({1}, DataType::kFp32);
  EXPECT_NE(checker.Check(0, 0, Bytes("\xff\xff garbage")), "");
  EXPECT_EQ(checker.Check(0, 0, Bytes(good)), "");
  EXPECT_EQ(checker.Check(0, 0, Bytes(good)), "");
}

TEST(AnswerChecker, Status_AnyAnswer_IsRight) {
  AnswerChecker checker({Payload(AnswerCheck::kStatus)});
  EXPECT_EQ(checker.Check(0, 0, Bytes("a")), "");
  EXPECT_EQ(checker.Check(0, 0, Bytes("b")), "");
}

}  // namespace
}  // namespace penstock::load
