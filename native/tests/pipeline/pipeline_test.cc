// A declaration held against a model, and what it makes of tensors.
#include "pipeline/pipeline.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>

#include "support/fake_session.h"
#include "support/fake_transform.h"

namespace penstock {
namespace {

TensorSpec Spec(std::string name, DataType dtype, const Shape& shape) {
  return {.name = std::move(name),
          .dtype = dtype,
          .shape = shape,
          .first_dim_symbolic = shape.rank() > 0 && shape[0] < 0};
}

const std::vector<TensorSpec> kInputs = {Spec("pixels", DataType::kFp32, {-1, 2}),
                                         Spec("bias", DataType::kFp32, {-1, 1})};
const std::vector<TensorSpec> kOutputs = {Spec("scores", DataType::kFp32, {-1, 2}),
                                          Spec("raw", DataType::kBytes, {-1})};

PipelineChain Chain(std::string from, std::string to, std::shared_ptr<FakeTransform> transform) {
  return {.from = {std::move(from)},
          .to = {std::move(to)},
          .steps = {"first", "last"},
          .transform = std::move(transform)};
}
std::shared_ptr<FakeTransform> Doubled(const Shape& row_shape = {2}) {
  return FloatTransform(row_shape, [](float value) { return 2 * value; });
}

std::string WhyNot(PipelineDeclaration declaration) {
  const auto made = Pipeline::Create(std::move(declaration), kInputs, kOutputs);
  if (made.ok()) return "";
  EXPECT_EQ(made.status().code(), StatusCode::kInvalidArgument);
  return std::string(made.status().message());
}

TensorView View(const Shape& shape, const std::vector<float>& values) {
  return {.dtype = DataType::kFp32, .shape = shape, .data = std::as_bytes(std::span(values))};
}
std::vector<float> Floats(const TensorView& view) {
  std::vector<float> values(view.data.size() / sizeof(float));
  std::memcpy(values.data(), view.data.data(), view.data.size());
  return values;
}
std::vector<std::string> NamesOf(std::span<const TensorSpec> specs) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : specs) names.push_back(spec.name);
  return names;
}

TEST(PipelineCreateTest, DeclarationThatDoesNotFit_IsRefusedWithWhere) {
  const auto before = [](const PipelineChain& chain) {
    return WhyNot({.preprocessing = {chain}, .postprocessing = {}});
  };
  const auto behind = [](const PipelineChain& chain) {
    return WhyNot({.preprocessing = {}, .postprocessing = {chain}});
  };
  EXPECT_EQ(before(Chain("image", "pixels", Doubled({3}))),
            "preprocessing[0].steps[1].last: makes FP32 [-1,3], input 'pixels' of the model takes "
            "FP32 [-1,2]");
  EXPECT_EQ(before(Chain("image", "pixels", Doubled({-1}))),
            "preprocessing[0].steps[1].last: makes FP32 [-1,-1], input 'pixels' of the model takes "
            "FP32 [-1,2]");
  EXPECT_EQ(before(Chain("image", "picture", Doubled())),
            "preprocessing[0].to: the model has no input 'picture'; it takes 'pixels', 'bias'");
  EXPECT_EQ(before(Chain("bias", "pixels", Doubled())),
            "preprocessing[0].from: takes 'bias' as FP32 [-1,2], and the model has an input of "
            "that name, FP32 [-1,1], which no chain makes; name it otherwise");
  PipelineChain two = Chain("a", "pixels", Doubled());
  two.from.emplace_back("b");
  EXPECT_EQ(before(two), "preprocessing[0].from: names 2 tensors, the first step takes 1");
  std::shared_ptr<FakeTransform> untold = Doubled();
  untold->takes.clear();
  EXPECT_EQ(before(Chain("image", "pixels", untold)),
            "preprocessing[0].steps[0].first: works on what a model makes; before it nothing is "
            "known of the tensors");
  EXPECT_EQ(behind(Chain("logits", "answer", Doubled())),
            "postprocessing[0].from: the model has no output or input 'logits'; it gives 'scores', "
            "'raw' and takes 'pixels', 'bias'");
  EXPECT_EQ(behind(Chain("scores", "raw", Doubled())),
            "postprocessing: 'raw' is the name of another answer, too");
  EXPECT_EQ(behind(Chain("raw", "answer", Doubled())),
            "postprocessing[0].steps[0].first: takes FP32 [-1,2], 'raw' of the model is BYTES "
            "[-1]");
  std::shared_ptr<FakeTransform> nothing = Doubled();
  nothing->makes.clear();
  EXPECT_EQ(behind(Chain("scores", "answer", nothing)),
            "postprocessing[0].steps[0].first: it makes nothing of that");
}

TEST(PipelineCreateTest, TwoChainsForOneInput_AreRefused) {
  EXPECT_EQ(
      WhyNot({.preprocessing = {Chain("a", "pixels", Doubled()), Chain("b", "pixels", Doubled())},
              .postprocessing = {}}),
      "preprocessing[1].to: input 'pixels' is made by preprocessing[0], too");
}

TEST(PipelineCreateTest, TwoChainsThatTakeAnInputDifferently_AreRefused) {
  EXPECT_EQ(
      WhyNot({.preprocessing = {Chain("a", "pixels", Doubled()), Chain("a", "bias", Doubled({1}))},
              .postprocessing = {}}),
      "preprocessing[1].from: takes 'a' as FP32 [-1,1], preprocessing[0] takes it as FP32 "
      "[-1,2]");
}

TEST(PipelineCreateTest, RawRequestsThatCouldNotBeTold_AreRefused) {
  EXPECT_EQ(WhyNot({.preprocessing = {Chain("pixels", "pixels", Doubled())},
                    .postprocessing = {},
                    .allow_raw = true})
                .substr(0, 40),
            "allow_raw: the model's own inputs have t");
  EXPECT_EQ(WhyNot({.preprocessing = {Chain("image", "pixels", Doubled())},
                    .postprocessing = {},
                    .allow_raw = true}),
            "");
}

class PipelineTest : public testing::Test {
 protected:
  void Make(PipelineDeclaration declaration) {
    auto made = Pipeline::Create(std::move(declaration), kInputs, kOutputs);
    ASSERT_TRUE(made.ok()) << made.status().ToString();
    pipeline_ = std::move(made).value();
  }
  std::unique_ptr<SessionOutputs> Ran(const std::vector<float>& scores) {
    auto outputs = std::make_unique<FakeOutputs>(&live_);
    const auto rows = static_cast<std::int64_t>(scores.size() / 2);
    outputs->Add(DataType::kFp32, {rows, 2}, scores);
    outputs->AddStrings({rows}, std::vector<std::string>(scores.size() / 2, "text"));
    return outputs;
  }

  std::atomic<std::int64_t> live_{0};
  std::unique_ptr<Pipeline> pipeline_;
  PipelineWork work_;
};

TEST_F(PipelineTest, Prepare_MakesWhatIsDeclared_AndPassesTheRest) {
  Make({.preprocessing = {Chain("image", "pixels", Doubled())}, .postprocessing = {}});
  EXPECT_EQ(NamesOf(pipeline_->inputs()), (std::vector<std::string>{"image", "bias"}));
  EXPECT_EQ(NamesOf(pipeline_->outputs()), (std::vector<std::string>{"scores", "raw"}));
  const std::vector<float> image = {1, 2, 3, 4};
  const std::vector<float> bias = {5, 6};
  const std::vector<TensorView> sent = {View({2, 2}, image), View({2, 1}, bias)};
  std::vector<TensorView> prepared(2);
  ASSERT_TRUE(pipeline_->Prepare(sent, work_, prepared).ok());
  EXPECT_EQ(Floats(prepared[0]), (std::vector<float>{2, 4, 6, 8}));
  EXPECT_EQ(prepared[1].data.data(), sent[1].data.data());
}

TEST_F(PipelineTest, Prepare_RowThatCannotBeUsed_SaysOfWhichInput) {
  Make({.preprocessing = {Chain("image", "pixels", Doubled())}, .postprocessing = {}});
  const std::vector<float> image = {-1, 2};
  const std::vector<TensorView> sent = {View({1, 2}, image), View({1, 1}, image)};
  std::vector<TensorView> prepared(2);
  const Status status = pipeline_->Prepare(sent, work_, prepared);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "input 'image': row 0: a negative value");
}

TEST_F(PipelineTest, Prepare_InputsOfOneChainWithOtherRows_AreRefused) {
  std::shared_ptr<FakeTransform> pair = Doubled();
  pair->takes.push_back(pair->takes.front());
  PipelineChain chain = Chain("a", "pixels", pair);
  chain.from.emplace_back("b");
  Make({.preprocessing = {chain}, .postprocessing = {}});
  const std::vector<float> values = {1, 2, 3, 4};
  const std::vector<TensorView> sent = {View({1, 2}, {values}), View({2, 2}, values),
                                        View({1, 1}, values)};
  std::vector<TensorView> prepared(2);
  EXPECT_EQ(pipeline_->Prepare(sent, work_, prepared).message(),
            "input 'b': 2 rows, input 'a' has 1");
}

TEST_F(PipelineTest, Finish_MakesAnswers_AndPassesWhatNoChainTakes) {
  Make({.preprocessing = {}, .postprocessing = {Chain("scores", "doubled", Doubled())}});
  EXPECT_EQ(NamesOf(pipeline_->outputs()), (std::vector<std::string>{"doubled", "raw"}));
  auto finished = pipeline_->Finish({}, Ran({1, 2, 3, 4}), work_);
  ASSERT_TRUE(finished.ok()) << finished.status().ToString();
  const SessionOutputs& outputs = *finished.value();
  EXPECT_EQ(Floats(outputs.tensors()[0]), (std::vector<float>{2, 4, 6, 8}));
  EXPECT_EQ(outputs.tensors()[1].dtype, DataType::kBytes);
  const std::span<const std::size_t> offsets = outputs.element_offsets(1);
  EXPECT_EQ(std::vector<std::size_t>(offsets.begin(), offsets.end()),
            (std::vector<std::size_t>{0, 8, 16}));
  finished = Internal("gone");
  EXPECT_EQ(live_, 0);
}

TEST_F(PipelineTest, Finish_WhatIsHandedThroughFromAnInput_OutlivesIt) {
  std::shared_ptr<FakeTransform> same = Doubled();
  same->compute = [](std::span<const TensorView> inputs, std::int64_t /*rows*/,
                     TensorArena& /*arena*/, std::span<TensorView> outputs) -> Status {
    outputs[0] = inputs[0];
    return {};
  };
  Make({.preprocessing = {}, .postprocessing = {Chain("pixels", "echo", same)}});
  std::vector<float> pixels = {1, 2};
  const std::vector<TensorView> inputs = {View({1, 2}, pixels), View({1, 1}, pixels)};
  auto finished = pipeline_->Finish(inputs, Ran({1, 2}), work_);
  ASSERT_TRUE(finished.ok());
  pixels = {0, 0};
  EXPECT_EQ(Floats(finished.value()->tensors()[0]), (std::vector<float>{1, 2}));
}

TEST_F(PipelineTest, Finish_ModelThatDoesNotKeepToItsShape_IsInternal) {
  Make({.preprocessing = {}, .postprocessing = {Chain("scores", "doubled", Doubled())}});
  auto outputs = std::make_unique<FakeOutputs>(&live_);
  outputs->Add(DataType::kFp32, {1, 3}, std::vector<float>{1, 2, 3});
  outputs->AddStrings({1}, {"text"});
  const auto finished = pipeline_->Finish({}, std::move(outputs), work_);
  EXPECT_EQ(finished.status().code(), StatusCode::kInternal);
  EXPECT_EQ(finished.status().message(),
            "the model returned 'scores' as FP32 [1,3], it declares FP32 [-1,2]");
}

TEST_F(PipelineTest, RowsWithin_CountsWhatRowsBecome) {
  Make({.preprocessing = {Chain("image", "pixels", Doubled())}, .postprocessing = {}});
  EXPECT_EQ(pipeline_->RowsWithin(80), 10);
  EXPECT_EQ(pipeline_->RowsWithin(7), 1);
  std::shared_ptr<FakeTransform> larger = Doubled();
  larger->row_bytes_max = 40;
  Make({.preprocessing = {Chain("image", "pixels", larger)}, .postprocessing = {}});
  EXPECT_EQ(pipeline_->RowsWithin(80), 2);
}

TEST_F(PipelineTest, Brief_OnlyWhereEveryChainIs) {
  std::shared_ptr<FakeTransform> slow = Doubled();
  slow->is_brief = false;
  Make({.preprocessing = {Chain("image", "pixels", Doubled())}, .postprocessing = {}});
  EXPECT_TRUE(pipeline_->brief());
  Make({.preprocessing = {Chain("image", "pixels", Doubled())},
        .postprocessing = {Chain("scores", "doubled", slow)}});
  EXPECT_FALSE(pipeline_->brief());
}

}  // namespace
}  // namespace penstock
