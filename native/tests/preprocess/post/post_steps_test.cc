#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <penstock/post.h>

#include "preprocess/transform.h"
#include "tensor/bytes.h"
#include "tensor/half.h"

namespace penstock {
namespace {

using Ports = std::vector<TransformPort>;

// A transform with the arena and the scratch of a thread that runs it.
class Steps final {
 public:
  explicit Steps(std::vector<PostStep> steps)
      : transform_(CreatePostTransform(steps)), scratch_(transform_->MakeScratch()) {}

  // Good until the steps go.
  std::vector<TensorView> Run(const std::vector<TensorView>& inputs) & {
    Ports ports;
    for (const TensorView& input : inputs) {
      TransformPort port{.dtype = input.dtype, .row_shape = {}};
      for (std::size_t i = 1; i < input.shape.rank(); ++i) port.row_shape.Append(input.shape[i]);
      ports.push_back(port);
    }
    const Result<Ports> made = transform_->OutputsFor(ports);
    EXPECT_TRUE(made.ok()) << made.status().ToString();
    std::vector<TensorView> outputs(made.value().size());
    status_ = transform_->Run(inputs, inputs[0].shape[0], arena_, scratch_.get(), outputs);
    for (std::size_t i = 0; status_.ok() && i < outputs.size(); ++i) {
      EXPECT_EQ(outputs[i].dtype, made.value()[i].dtype);
      EXPECT_EQ(outputs[i].shape.rank(), made.value()[i].row_shape.rank() + 1);
    }
    return outputs;
  }
  std::string Refusal(const Ports& inputs) const {
    const Result<Ports> made = transform_->OutputsFor(inputs);
    return made.ok() ? "" : made.status().ToString();
  }
  Result<Ports> OutputsFor(const Ports& inputs) const { return transform_->OutputsFor(inputs); }
  const Status& status() const { return status_; }

 private:
  const std::shared_ptr<const Transform> transform_;
  const std::unique_ptr<Transform::Scratch> scratch_;
  TensorArena arena_;
  Status status_;
};

template <typename T>
TensorView View(DataType dtype, const Shape& shape, const std::vector<T>& values) {
  return {.dtype = dtype, .shape = shape, .data = std::as_bytes(std::span(values))};
}
TensorView Floats(const Shape& shape, const std::vector<float>& values) {
  return View(DataType::kFp32, shape, values);
}

template <typename T>
std::vector<T> Values(const TensorView& view) {
  std::vector<T> values(view.data.size() / sizeof(T));
  std::memcpy(values.data(), view.data.data(), view.data.size());
  return values;
}

std::vector<std::string> Texts(const TensorView& view) {
  EXPECT_EQ(FindBytesFault(view.data, *view.shape.ElementCount()), "");
  std::vector<std::string> texts;
  for (BytesReader reader(view.data); !reader.done();) {
    const std::span<const std::byte> text = reader.Next();
    texts.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
  }
  return texts;
}

using Int64s = std::vector<std::int64_t>;
using Strings = std::vector<std::string>;

TransformPort Port(DataType dtype, Shape row_shape) {
  return {.dtype = dtype, .row_shape = row_shape};
}

TEST(PostSteps, TopK_ValuesIndicesLabelsOfEachRow) {
  const std::vector<float> values = {1, 9, 9, 3, 8, 2, 4, 6};
  Steps steps({TopKStep{.k = 2, .labels = {"a", "bb", "", "d"}}});
  const std::vector<TensorView> made = steps.Run({Floats({2, 4}, values)});
  ASSERT_EQ(made.size(), 3U);
  EXPECT_EQ(made[0].shape, (Shape{2, 2}));
  EXPECT_EQ(Values<float>(made[0]), (std::vector<float>{9, 9, 8, 6}));
  EXPECT_EQ(Values<std::int64_t>(made[1]), (Int64s{1, 2, 0, 3}));
  EXPECT_EQ(Texts(made[2]), (Strings{"bb", "", "a", "d"}));
}

TEST(PostSteps, TopK_WhatDoesNotFit_IsRefusedWithBothNumbers) {
  const Ports four = {Port(DataType::kFp32, {4})};
  EXPECT_EQ(Steps({TopKStep{.k = 5, .labels = {}}}).Refusal(four),
            "INVALID_ARGUMENT: steps[0].top_k: k is 5, and a row has 4 values");
  EXPECT_EQ(Steps({SoftmaxStep{}, TopKStep{.k = 1, .labels = {"a"}}}).Refusal(four),
            "INVALID_ARGUMENT: steps[1].top_k: 1 labels for a row of 4 values; one for each is "
            "expected");
  EXPECT_EQ(Steps({TopKStep{.k = 1, .labels = {}}, SoftmaxStep{}}).Refusal(four),
            "INVALID_ARGUMENT: steps[1].softmax: it takes one tensor, and is given 2");
}

TEST(PostSteps, TopK_WidthThatTheModelLeavesOpen_IsCheckedWhenItRuns) {
  Steps steps({TopKStep{.k = 3, .labels = {}}});
  EXPECT_EQ(steps.Refusal({Port(DataType::kFp32, {-1})}), "");
  const std::vector<float> values = {1, 2};
  const TensorView two = Floats({1, 2}, values);
  const std::shared_ptr<const Transform> transform =
      CreatePostTransform({TopKStep{.k = 3, .labels = {}}});
  TensorArena arena;
  std::vector<TensorView> outputs(2);
  const std::unique_ptr<Transform::Scratch> scratch = transform->MakeScratch();
  const Status status =
      transform->Run(std::span(&two, 1), 1, arena, scratch.get(), std::span(outputs));
  EXPECT_EQ(status.ToString(), "INTERNAL: top_k: k is 3, and a row has 2 values");
}

TEST(PostSteps, Argmax_TakesTheLastDimensionAway) {
  const std::vector<float> values = {1, 3, 2, 5, 4, 5};
  Steps steps({ArgmaxStep{}});
  const std::vector<TensorView> made = steps.Run({Floats({1, 2, 3}, values)});
  EXPECT_EQ(made[0].shape, (Shape{1, 2}));
  EXPECT_EQ(Values<std::int64_t>(made[0]), (Int64s{1, 0}));
}

TEST(PostSteps, ArgmaxThenLabels_IsText) {
  const std::vector<float> values = {1, 3, 5, 4};
  Steps steps({ArgmaxStep{}, LabelsStep{.labels = {"cat", "dog"}}});
  const std::vector<TensorView> made = steps.Run({Floats({2, 2}, values)});
  EXPECT_EQ(made[0].shape, Shape{2});
  EXPECT_EQ(Texts(made[0]), (Strings{"dog", "cat"}));
}

TEST(PostSteps, Labels_IndexBeyondThem_NamesTheRow) {
  const Int64s indices = {0, 1, 1, 7};
  Steps steps({LabelsStep{.labels = {"cat", "dog"}}});
  steps.Run({View(DataType::kInt64, {2, 2}, indices)});
  EXPECT_EQ(steps.status().ToString(),
            "INTERNAL: row 1: labels: the model answered 7, and there are 2 labels");
  EXPECT_EQ(steps.Refusal({Port(DataType::kFp32, {2})}),
            "INVALID_ARGUMENT: steps[0].labels: it takes INT64 indices, and is given FP32");
}

TEST(PostSteps, Threshold_ReachedCounts_NaNDoesNot) {
  const std::vector<float> values = {0.2F, 0.5F, 0.7F, std::bit_cast<float>(0x7FC00000)};
  Steps steps({ThresholdStep{.at = 0.5, .labels = {}}});
  const std::vector<TensorView> made = steps.Run({Floats({4}, values)});
  EXPECT_EQ(made[0].dtype, DataType::kBool);
  EXPECT_EQ(Values<std::uint8_t>(made[0]), (std::vector<std::uint8_t>{0, 1, 1, 0}));
  Steps named({ThresholdStep{.at = 0.5, .labels = {"ham", "spam"}}});
  EXPECT_EQ(Texts(named.Run({Floats({4}, values)})[0]), (Strings{"ham", "spam", "spam", "ham"}));
}

TEST(PostSteps, MeanPoolThenL2_IsASentencesEmbedding) {
  const std::vector<float> hidden = {6, 0, 0, 8, 99, 99, 0, 2, 7, 7, 7, 7};
  const Int64s mask = {1, 1, 0, 1, 0, 0};
  Steps steps({MeanPoolStep{}, L2NormalizeStep{}});
  const std::vector<TensorView> made =
      steps.Run({Floats({2, 3, 2}, hidden), View(DataType::kInt64, {2, 3}, mask)});
  EXPECT_EQ(made[0].shape, (Shape{2, 2}));
  const std::vector<float> embedding = Values<float>(made[0]);
  const std::vector<float> expected = {0.6F, 0.8F, 0, 1};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(embedding[i], expected[i]) << i;
}

TEST(PostSteps, MeanPool_MaskThatDoesNotFit_IsRefusedWithBothShapes) {
  const Steps steps({MeanPoolStep{}});
  const TransformPort hidden = Port(DataType::kFp32, {16, 384});
  EXPECT_EQ(steps.Refusal({hidden, Port(DataType::kInt64, {15})}),
            "INVALID_ARGUMENT: steps[0].mean_pool: the mask is INT64 [15]; for [16] tokens it must "
            "be INT64 [16]");
  EXPECT_EQ(steps.Refusal({Port(DataType::kFp32, {384})}),
            "INVALID_ARGUMENT: steps[0].mean_pool: it takes FP16, FP32 or FP64 of [tokens,values], "
            "and is given FP32 [384]");
  EXPECT_EQ(steps.Refusal({Port(DataType::kFp32, {-1, 384}), Port(DataType::kInt64, {-1})}), "");
}

TEST(PostSteps, Half_IsComputedInFloatAndRoundedOnce) {
  const std::vector<std::uint16_t> values = {ToHalf(0), ToHalf(1), ToHalf(2)};
  Steps steps({SoftmaxStep{}});
  const std::vector<TensorView> made = steps.Run({View(DataType::kFp16, {1, 3}, values)});
  EXPECT_EQ(made[0].dtype, DataType::kFp16);
  EXPECT_EQ(
      Values<std::uint16_t>(made[0]),
      (std::vector<std::uint16_t>{ToHalf(0.09003057F), ToHalf(0.24472847F), ToHalf(0.66524096F)}));
}

TEST(PostSteps, Double_StaysDouble) {
  const std::vector<double> values = {0, 1e-17};
  Steps steps({SigmoidStep{}, TopKStep{.k = 1, .labels = {}}});
  const std::vector<TensorView> made = steps.Run({View(DataType::kFp64, {1, 2}, values)});
  EXPECT_EQ(made[0].dtype, DataType::kFp64);
  EXPECT_EQ(Values<double>(made[0]), std::vector<double>{0.5});
}

TEST(PostSteps, Rename_HandsOnWhatItIsGiven) {
  const std::vector<float> values = {1, 2};
  const TensorView view = Floats({1, 2}, values);
  Steps steps({RenameStep{}});
  const std::vector<TensorView> made = steps.Run({view, view});
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(made[1].data.data(), view.data.data());
}

TEST(PostSteps, WrongDatatypeOrRank_IsRefusedInAStepsWords) {
  EXPECT_EQ(Steps({SigmoidStep{}}).Refusal({Port(DataType::kInt64, {2})}),
            "INVALID_ARGUMENT: steps[0].sigmoid: it takes FP16, FP32 or FP64, and is given INT64");
  EXPECT_EQ(Steps({RenameStep{}, SoftmaxStep{}}).Refusal({Port(DataType::kFp32, {})}),
            "INVALID_ARGUMENT: steps[1].softmax: it works along the last dimension, and is given "
            "one number for each row");
}

TEST(PostSteps, Arena_IsAllTheMemoryThatRunsNeed) {
  const std::shared_ptr<const Transform> transform =
      CreatePostTransform({SoftmaxStep{}, TopKStep{.k = 2, .labels = {"a", "b", "c"}}});
  const std::unique_ptr<Transform::Scratch> scratch = transform->MakeScratch();
  const std::vector<float> values(3 * 8, 1.0F);
  const TensorView view = Floats({8, 3}, values);
  TensorArena arena;
  std::vector<TensorView> outputs(3);
  std::size_t capacity = 0;
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(transform->Run(std::span(&view, 1), 8, arena, scratch.get(), outputs).ok());
    arena.Clear();
    if (round == 1) capacity = arena.capacity();
  }
  EXPECT_EQ(arena.capacity(), capacity);
}

}  // namespace
}  // namespace penstock
