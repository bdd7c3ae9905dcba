// Sequences, maps and optionals of the real engine, as the tensors that are served for them.
#include "session/ort_value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "session/ort_runtime.h"
#include "support/strings.h"
#include "support/test_files.h"

namespace penstock {
namespace {

template <typename T>
std::vector<T> ValuesOf(const TensorView& view) {
  std::vector<T> values(view.data.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), view.data.data(), view.data.size());
  return values;
}

class OrtValueTest : public testing::Test {
 protected:
  void Load(const std::string& name) {
    Result<std::unique_ptr<OrtRuntime>> runtime = OrtRuntime::Open(OrtLibraryPath());
    ASSERT_TRUE(runtime.ok()) << runtime.status().ToString();
    runtime_ = std::move(runtime).value();
    Result<std::unique_ptr<Session>> session =
        runtime_->CreateSession({.model_path = TestModelPath(name)});
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    session_ = std::move(session).value();
  }
  Result<std::unique_ptr<SessionOutputs>> Run(const Shape& shape, const std::vector<float>& x) {
    const TensorView input = {
        .dtype = DataType::kFp32, .shape = shape, .data = std::as_bytes(std::span(x))};
    return session_->Run({&input, 1});
  }

  std::unique_ptr<OrtRuntime> runtime_;
  std::unique_ptr<Session> session_;
};

// The logarithms of the scores that ONNX's Softmax is to give.
const std::vector<float> kTwoRows = {std::log(0.2F), std::log(0.5F), std::log(0.3F),
                                     std::log(0.7F), std::log(0.1F), std::log(0.2F)};

void ExpectScores(const TensorView& view, const std::vector<float>& expected) {
  EXPECT_EQ(view.dtype, DataType::kFp32);
  const std::vector<float> scores = ValuesOf<float>(view);
  ASSERT_EQ(scores.size(), expected.size());
  for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-6);
}

TEST_F(OrtValueTest, MapsWithNumbersAsKeys_AreATableInTheirOrder) {
  ASSERT_NO_FATAL_FAILURE(Load("zipmap_int"));  // labels 20, -10, 30
  ASSERT_EQ(session_->outputs().size(), 3U);
  EXPECT_EQ(session_->outputs()[0].name, "label");
  EXPECT_EQ(session_->outputs()[1].name, "probability");
  EXPECT_EQ(session_->outputs()[1].shape, (Shape{-1, -1}));
  EXPECT_EQ(session_->outputs()[2].name, "probability_labels");
  EXPECT_EQ(session_->outputs()[2].dtype, DataType::kInt64);

  const Result<std::unique_ptr<SessionOutputs>> outputs = Run({2, 3}, kTwoRows);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const std::span<const TensorView> tensors = outputs.value()->tensors();
  EXPECT_EQ(ValuesOf<std::int64_t>(tensors[0]), (std::vector<std::int64_t>{1, 0}));
  EXPECT_EQ(tensors[1].shape, (Shape{2, 3}));
  ExpectScores(tensors[1], {0.5F, 0.2F, 0.3F, 0.1F, 0.7F, 0.2F});
  EXPECT_EQ(tensors[2].shape, (Shape{2, 3}));
  EXPECT_EQ(ValuesOf<std::int64_t>(tensors[2]),
            (std::vector<std::int64_t>{-10, 20, 30, -10, 20, 30}));
}

TEST_F(OrtValueTest, MapsWithStringsAsKeys_KeepTheirOffsets) {
  ASSERT_NO_FATAL_FAILURE(Load("zipmap_string"));  // labels dog, bee, cat
  const Result<std::unique_ptr<SessionOutputs>> outputs = Run({2, 3}, kTwoRows);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const std::span<const TensorView> tensors = outputs.value()->tensors();
  ExpectScores(tensors[1], {0.5F, 0.3F, 0.2F, 0.1F, 0.2F, 0.7F});
  EXPECT_EQ(tensors[2].dtype, DataType::kBytes);
  EXPECT_EQ(StringsOf(tensors[2].data),
            (std::vector<std::string>{"bee", "cat", "dog", "bee", "cat", "dog"}));
  const std::span<const std::size_t> offsets = outputs.value()->element_offsets(2);
  ASSERT_EQ(offsets.size(), 7U);
  for (std::size_t i = 0; i < 7; ++i) EXPECT_EQ(offsets[i], i * 7);
}

TEST_F(OrtValueTest, NoRows_AreTablesOfNone) {
  ASSERT_NO_FATAL_FAILURE(Load("zipmap_string"));
  const Result<std::unique_ptr<SessionOutputs>> outputs = Run({0, 3}, {});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  for (std::size_t i : {1U, 2U}) {
    EXPECT_EQ(outputs.value()->tensors()[i].shape, (Shape{0, 0}));
    EXPECT_TRUE(outputs.value()->tensors()[i].data.empty());
  }
  EXPECT_EQ(outputs.value()->element_offsets(2).size(), 1U);
}

TEST_F(OrtValueTest, SequenceOfRows_IsTheBatchAgain) {
  ASSERT_NO_FATAL_FAILURE(Load("sequence_of_rows"));
  EXPECT_EQ(session_->outputs()[0].shape, (Shape{-1, 4}));
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  const Result<std::unique_ptr<SessionOutputs>> outputs = Run({2, 4}, x);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(outputs.value()->tensors()[0].shape, (Shape{2, 4}));
  EXPECT_EQ(ValuesOf<float>(outputs.value()->tensors()[0]), x);
}

TEST_F(OrtValueTest, SequenceOfStrings_IsStacked) {
  ASSERT_NO_FATAL_FAILURE(Load("sequence_strings"));
  const std::vector<std::string> strings = {"a", std::string("\0\xff", 2), ""};
  const std::vector<std::byte> data = BytesOf(strings);
  const TensorView input = {.dtype = DataType::kBytes, .shape = {3}, .data = data};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session_->Run({&input, 1});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(outputs.value()->tensors()[0].shape, (Shape{2, 3}));
  EXPECT_EQ(StringsOf(outputs.value()->tensors()[0].data),
            (std::vector<std::string>{strings[0], strings[1], "", strings[0], strings[1], ""}));
  EXPECT_EQ(outputs.value()->element_offsets(0).size(), 7U);
}

TEST_F(OrtValueTest, UnequalTensors_DoNotStack) {
  ASSERT_NO_FATAL_FAILURE(Load("sequence_unequal"));
  const Status status = Run({2, 4}, std::vector<float>(8)).status();
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_EQ(status.message(),
            "output 'y' came back as a sequence of shapes [2,4] and [1,1], which do not stack");
}

TEST_F(OrtValueTest, OptionalThatIsThere_IsItsTensor) {
  ASSERT_NO_FATAL_FAILURE(Load("optional_output"));
  const std::vector<float> x = {1, 2, 3, 4};
  const Result<std::unique_ptr<SessionOutputs>> outputs = Run({1, 4}, x);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(ValuesOf<float>(outputs.value()->tensors()[1]), x);
}

TEST_F(OrtValueTest, OptionalThatIsEmpty_IsAnError) {
  ASSERT_NO_FATAL_FAILURE(Load("optional_empty"));
  EXPECT_EQ(Run({1, 4}, {1, 2, 3, 4}).status().message(),
            "output 'y' is optional, and this run left it empty");
}

}  // namespace
}  // namespace penstock
