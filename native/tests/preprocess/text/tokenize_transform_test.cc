// Texts of a request into tensors: shapes, padding, which tensors, what is refused. Ids themselves
// are text_encoder_test's matter.
#include "preprocess/text/tokenize_transform.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/bytes.h"

namespace penstock::preprocess {
namespace {

constexpr std::uint32_t kStart = 1;
constexpr std::uint32_t kEnd = 2;
constexpr std::uint32_t kA = 3;

// Each "a" is an id, and two stand around them.
TokenizeStep SmallStep() {
  TokenizeStep step;
  WordPieceSpec model{.continuing_prefix = "##", .unknown_id = 0, .characters_max = 10};
  for (const char* const word : {"[UNK]", "[CLS]", "[SEP]", "a"}) {
    model.words.push_back({.text = word, .id = static_cast<std::uint32_t>(model.words.size())});
  }
  step.tokenizer.model = std::move(model);
  const TemplatePart first{.kind = TemplatePart::Kind::kFirst};
  const TemplatePart second{.kind = TemplatePart::Kind::kSecond, .type_id = 1};
  step.tokenizer.single = {{.ids = {kStart}}, first, {.ids = {kEnd}}};
  step.tokenizer.pair = {{.ids = {kStart}}, first, second};
  step.tokenizer.text_bytes_max = 1000;
  step.padding = {.id = 9, .type_id = 5};
  step.outputs = {TextTensor::kIds, TextTensor::kMask, TextTensor::kTypeIds};
  step.datatype = "INT64";
  return step;
}

struct Texts {
  explicit Texts(std::vector<std::string> rows) : count(static_cast<std::int64_t>(rows.size())) {
    for (const std::string& row : rows) {
      const std::size_t at = bytes.size();
      bytes.resize(at + kBytesLengthSize + row.size());
      PutBytesElement(bytes.data() + at, std::as_bytes(std::span(row)));
    }
  }
  TensorView view() const { return {.dtype = DataType::kBytes, .shape = {count}, .data = bytes}; }
  std::int64_t count = 0;
  std::vector<std::byte> bytes;
};

std::shared_ptr<const Transform> Make(const TokenizeStep& step) {
  Result<std::shared_ptr<const Transform>> made = TokenizeTransform::Create(step);
  CHECK(made.ok());
  return *made;
}

// One run of a step's transform; the outputs are this object's.
class TransformRun {
 public:
  TransformRun(const TokenizeStep& step, const std::vector<TensorView>& inputs) {
    transform = Make(step);
    scratch = transform->MakeScratch();
    outputs.resize(step.outputs.size());
    status = transform->Run(inputs, inputs.front().shape[0], arena, scratch.get(), outputs);
  }
  template <typename Element>
  std::vector<Element> Values(std::size_t output) const {
    std::vector<Element> values(outputs[output].data.size() / sizeof(Element));
    std::memcpy(values.data(), outputs[output].data.data(), outputs[output].data.size());
    return values;
  }

  std::shared_ptr<const Transform> transform;
  std::unique_ptr<Transform::Scratch> scratch;
  TensorArena arena;
  std::vector<TensorView> outputs;
  Status status;
};

using Int64s = std::vector<std::int64_t>;

TEST(TokenizeTransform, RowsOfTwoLengths_ArePaddedToTheLonger) {
  const Texts texts({"a", "a a a"});
  const TransformRun run(SmallStep(), {texts.view()});
  ASSERT_TRUE(run.status.ok()) << run.status.ToString();
  for (const TensorView& output : run.outputs) {
    EXPECT_EQ(output.dtype, DataType::kInt64);
    EXPECT_EQ(output.shape, (Shape{2, 5}));
  }
  EXPECT_EQ(run.Values<std::int64_t>(0),
            (Int64s{kStart, kA, kEnd, 9, 9, kStart, kA, kA, kA, kEnd}));
  EXPECT_EQ(run.Values<std::int64_t>(1), (Int64s{1, 1, 1, 0, 0, 1, 1, 1, 1, 1}));
  EXPECT_EQ(run.Values<std::int64_t>(2), (Int64s{0, 0, 0, 5, 5, 0, 0, 0, 0, 0}));
}

TEST(TokenizeTransform, PaddingBeforeAndToMultiples_IsWhereItSays) {
  TokenizeStep step = SmallStep();
  step.padding.left = true;
  step.padding.multiple_of = 4;
  const Texts texts({"a", "a a a"});
  const TransformRun run(step, {texts.view()});
  ASSERT_TRUE(run.status.ok()) << run.status.ToString();
  EXPECT_EQ(run.outputs[0].shape, (Shape{2, 8}));
  EXPECT_EQ(run.Values<std::int64_t>(1), (Int64s{0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1}));
}

TEST(TokenizeTransform, Outputs_StandInTheOrderAsked) {
  TokenizeStep step = SmallStep();
  step.outputs = {TextTensor::kMask, TextTensor::kIds};
  step.datatype = "INT32";
  const Texts texts({"a"});
  const TransformRun run(step, {texts.view()});
  ASSERT_TRUE(run.status.ok()) << run.status.ToString();
  EXPECT_EQ(run.outputs[1].dtype, DataType::kInt32);
  EXPECT_EQ(run.Values<std::int32_t>(0), (std::vector<std::int32_t>{1, 1, 1}));
  EXPECT_EQ(run.Values<std::int32_t>(1), (std::vector<std::int32_t>{kStart, kA, kEnd}));
}

TEST(TokenizeTransform, Pairs_BecomeOneRowOfTwoTypes) {
  TokenizeStep step = SmallStep();
  step.pairs = true;
  const Texts first({"a", ""});
  const Texts second({"a a", "a"});
  const TransformRun run(step, {first.view(), second.view()});
  ASSERT_TRUE(run.status.ok()) << run.status.ToString();
  EXPECT_EQ(run.Values<std::int64_t>(0), (Int64s{kStart, kA, kA, kA, kStart, kA, 9, 9}));
  EXPECT_EQ(run.Values<std::int64_t>(2), (Int64s{0, 0, 1, 1, 0, 1, 5, 5}));
}

TEST(TokenizeTransform, Ports_SayWhatPadsAndWhetherLengthsDiffer) {
  TokenizeStep step = SmallStep();
  step.padding.left = true;
  step.tokenizer.length_max = 6;
  const auto ports_of = [](const TokenizeStep& declared) {
    Result<std::vector<TransformPort>> ports = Make(declared)->OutputsFor({});
    return *ports;
  };
  const TransformPort port = {.dtype = DataType::kInt64,
                              .row_shape = {-1},
                              .padding = PortPadding{.value = 0, .before = true}};
  std::vector<TransformPort> expected(3, port);
  expected[0].padding->value = 9;
  expected[1].padding->mask = true;
  expected[2].padding->value = 5;
  EXPECT_EQ(ports_of(step), expected);
  step.padding.length_min = 6;
  EXPECT_EQ(ports_of(step)[0], (TransformPort{.dtype = DataType::kInt64, .row_shape = {6}}));
}

TEST(TokenizeTransform, TextsThatCannotBeUsed_AreRefusedWithTheirRow) {
  const auto refused = [](const TokenizeStep& step, const std::vector<TensorView>& inputs) {
    const TransformRun run(step, inputs);
    EXPECT_EQ(run.status.code(), StatusCode::kInvalidArgument);
    return std::string(run.status.message());
  };
  TokenizeStep step = SmallStep();
  const Texts broken({"a", "a", "a\xFF"});
  EXPECT_EQ(refused(step, {broken.view()}), "row 2: the text is not UTF-8: byte 255 at offset 1");
  const Texts longer({"a", std::string(1001, 'a')});
  EXPECT_EQ(refused(step, {longer.view()}),
            "row 1: the text has 1001 bytes, at most 1000 are taken");
  step.pairs = true;
  const Texts good({"a", "a", "a"});
  EXPECT_EQ(refused(step, {good.view(), broken.view()}),
            "row 2: the second text is not UTF-8: byte 255 at offset 1");
}

TEST(TokenizeTransform, AfterARefusal_TheScratchStillWorks) {
  const Texts broken({"a\xFF"});
  const Texts good({"a a"});
  TransformRun run(SmallStep(), {broken.view()});
  ASSERT_FALSE(run.status.ok());
  const std::vector<TensorView> inputs = {good.view()};
  ASSERT_TRUE(run.transform->Run(inputs, 1, run.arena, run.scratch.get(), run.outputs).ok());
  EXPECT_EQ(run.Values<std::int64_t>(0), (Int64s{kStart, kA, kA, kEnd}));
}

TEST(TokenizeTransform, SizesToExpect_FollowLimitsAndTexts) {
  TokenizeStep step = SmallStep();
  step.tokenizer.length_max = 30;
  step.padding.multiple_of = 8;
  const std::shared_ptr<const Transform> transform = Make(step);
  EXPECT_EQ(transform->RowBytesMax(), 3 * 32 * 8);
  const auto estimate = [&transform](std::vector<std::string> rows) {
    const Texts texts(std::move(rows));
    const TensorView view = texts.view();
    return transform->EstimateLength({&view, 1});
  };
  EXPECT_EQ(estimate({""}), 8);
  EXPECT_EQ(estimate({"a", std::string(40, 'a'), "a"}), 16);
  EXPECT_EQ(estimate({std::string(900, 'a')}), 32);
  // Without a limit on ids, that on bytes bounds them.
  const std::shared_ptr<const Transform> unlimited = Make(SmallStep());
  EXPECT_EQ(unlimited->RowBytesMax(), 3 * 8 * (2 + 2 * 1000 + 1));
}

TEST(TokenizeTransform, SpecThatIsWrong_IsRefused) {
  TokenizeStep step = SmallStep();
  step.tokenizer.length_max = 1;
  Error error;
  EXPECT_EQ(MakeTokenizeTransform(step, &error), nullptr);
  EXPECT_EQ(error.message,
            "a length of at most 1 has no room for the 2 ids that the template adds");
}

TEST(TokenizeTransform, SampleRow_IsTaken) {
  TokenizeStep step = SmallStep();
  step.pairs = true;
  const std::shared_ptr<const Transform> transform = Make(step);
  TensorArena arena;
  const std::vector<TensorView> sample = transform->SampleRow(arena);
  ASSERT_EQ(sample.size(), transform->inputs().size());
  for (const TensorView& view : sample) {
    EXPECT_EQ(view.shape, (Shape{1}));
    EXPECT_EQ(FindBytesFault(view.data, 1), "");
  }
  const TransformRun run(step, sample);
  ASSERT_TRUE(run.status.ok()) << run.status.ToString();
  EXPECT_GT(run.outputs[0].shape[1], 30);
}

}  // namespace
}  // namespace penstock::preprocess
