// A pipeline whose step costs so much a run that the requests of a batch share one.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "batching/batch_runner.h"
#include "batching/row_cutter.h"
#include "pipeline/pipeline.h"
#include "support/fake_session.h"
#include "support/fake_transform.h"
#include "support/manual_clock.h"
#include "support/test_entry.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

TEST(RowCutter, NumbersAndBytes_AreCutByRows) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  RowCutter numbers(
      {.dtype = DataType::kFp32, .shape = {3, 2}, .data = std::as_bytes(std::span(values))});
  EXPECT_EQ(numbers.Next(1).data.size(), 8U);
  const TensorView rest = numbers.Next(2);
  EXPECT_EQ(rest.shape, (Shape{2, 2}));
  EXPECT_EQ(std::memcmp(rest.data.data(), &values[2], 16), 0);

  std::vector<std::byte> texts(3 * kBytesLengthSize + 3);
  const std::vector<std::byte> letters(2, std::byte{'x'});
  std::byte* to = PutBytesElement(texts.data(), letters);
  to = PutBytesElement(to, {});
  PutBytesElement(to, std::span(letters).first(1));
  RowCutter strings({.dtype = DataType::kBytes, .shape = {3}, .data = texts});
  EXPECT_EQ(strings.Next(2).data.size(), 2 * kBytesLengthSize + 2);
  EXPECT_EQ(strings.Next(1).data.size(), kBytesLengthSize + 1);
}

// x + 1; a value below 0 fails the run, which says which row.
class PlusOne final : public Transform {
 public:
  std::span<const TransformPort> inputs() const override { return {&port_, 1}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> /*inputs*/) const override {
    return std::vector<TransformPort>{port_};
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    runs.push_back(rows);
    const std::span<std::byte> memory = arena.Get(inputs[0].data.size());
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i) {
      float value = 0;
      std::memcpy(&value, inputs[0].data.data() + i * sizeof(value), sizeof(value));
      if (value < 0) return InvalidArgument("row " + std::to_string(i) + ": negative");
      value += 1;
      std::memcpy(memory.data() + i * sizeof(value), &value, sizeof(value));
    }
    outputs[0] = inputs[0];
    outputs[0].data = memory;
    return {};
  }
  bool brief() const override { return true; }
  bool shares_runs() const override { return true; }

  mutable std::vector<std::int64_t> runs;

 private:
  const TransformPort port_ = {.dtype = DataType::kFp32, .row_shape = {1}};
};

class SharedPreparingTest : public testing::Test {
 protected:
  SharedPreparingTest() {
    PipelineDeclaration declaration;
    declaration.preprocessing.push_back(
        {.from = {"x"}, .to = {"a"}, .steps = {"plus_one"}, .transform = plus_one_});
    Result<std::unique_ptr<Pipeline>> made =
        Pipeline::Create(std::move(declaration), kSpecs, kSpecs);
    CHECK(made.ok());
    pipeline_ = std::move(made).value();
    queue_ = std::make_unique<BatchQueue>(
        session_, BatchQueue::Options{.model = "plus", .pipeline = pipeline_.get()});
  }
  TestEntry& Add(std::int64_t rows, float value) {
    TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
    entry.AddInput(rows, 1, value);
    batch_.push_back(&entry);
    return entry;
  }

  inline static const std::vector<TensorSpec> kSpecs = {
      {.name = "a", .dtype = DataType::kFp32, .shape = {-1, 1}, .first_dim_symbolic = true}};
  ManualClock clock_;
  Logger logger_{{.severity_min = LogSeverity::kError}};
  Watchdog watchdog_{clock_, logger_};
  BatchRunner runner_{clock_, watchdog_};
  FakeSession session_{kSpecs, kSpecs,
                       [](std::span<const TensorView> inputs, FakeOutputs& outputs) {
                         outputs.Add(inputs[0].dtype, inputs[0].shape, inputs[0].data);
                         return Status();
                       }};
  const std::shared_ptr<PlusOne> plus_one_ = std::make_shared<PlusOne>();
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<BatchQueue> queue_;
  std::vector<std::unique_ptr<TestEntry>> entries_;
  std::vector<QueueEntry*> batch_;
};

TEST_F(SharedPreparingTest, Batch_IsPreparedAsOne) {
  Add(2, 1);
  Add(1, 50);
  std::vector<std::vector<float>> expected;
  for (const auto& entry : entries_) {
    std::vector<float>& values = expected.emplace_back(static_cast<std::size_t>(entry->rows));
    std::memcpy(values.data(), entry->inputs[0].data.data(), values.size() * sizeof(float));
    for (float& value : values) value += 1;
  }
  EXPECT_TRUE(runner_.Run(*queue_, batch_));
  EXPECT_EQ(plus_one_->runs, std::vector<std::int64_t>{3});
  EXPECT_EQ(session_.runs(), 1);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    ASSERT_TRUE(entries_[i]->result.status.ok()) << entries_[i]->result.status.ToString();
    EXPECT_EQ(entries_[i]->Output(0), expected[i]);
  }
}

TEST_F(SharedPreparingTest, OneThatFails_FailsAlone) {
  Add(1, 1);
  Add(1, -50);
  Add(1, 3);
  EXPECT_FALSE(runner_.Run(*queue_, batch_));
  EXPECT_EQ(plus_one_->runs, (std::vector<std::int64_t>{3, 1, 1, 1}));
  EXPECT_TRUE(entries_[0]->result.status.ok());
  EXPECT_EQ(entries_[1]->result.status.ToString(), "INVALID_ARGUMENT: input 'x': row 0: negative");
  EXPECT_TRUE(entries_[2]->result.status.ok());
}

// One input and one output, "a", of any length: what `transform` makes of "x", as it is.
class RaggedPreparingTest : public testing::Test {
 protected:
  void Make(std::shared_ptr<FakeTransform> transform, std::vector<RaggedOutput> outputs) {
    ragged_ = {.inputs = {{.index = 0}}, .outputs = std::move(outputs)};
    PipelineDeclaration declaration;
    declaration.preprocessing.push_back(
        {.from = {"x"}, .to = {"a"}, .steps = {"fake"}, .transform = std::move(transform)});
    Result<std::unique_ptr<Pipeline>> made =
        Pipeline::Create(std::move(declaration), kSpecs, kSpecs);
    CHECK(made.ok());
    pipeline_ = std::move(made).value();
    queue_ = std::make_unique<BatchQueue>(
        session_,
        BatchQueue::Options{.model = "m",
                            .limits = {.batchable = true, .rows_max = 64, .ragged = &ragged_},
                            .pipeline = pipeline_.get()});
  }
  TestEntry& Add(std::int64_t columns, float first) {
    TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
    entry.AddInput(1, columns, first);
    entry.run_length = kRunLengthMin;
    batch_.push_back(&entry);
    return entry;
  }
  // As many ones for each row as the largest number says.
  static std::shared_ptr<FakeTransform> Ones() {
    auto made = std::make_shared<FakeTransform>();
    made->takes = {{.dtype = DataType::kFp32, .row_shape = {1}}};
    made->makes = {{.dtype = DataType::kFp32, .row_shape = {-1}}};
    made->compute = [](std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
                       std::span<TensorView> outputs) -> Status {
      std::vector<float> lengths(static_cast<std::size_t>(rows));
      std::memcpy(lengths.data(), inputs[0].data.data(), inputs[0].data.size());
      const auto longest = static_cast<std::int64_t>(*std::ranges::max_element(lengths));
      const std::vector<float> ones(static_cast<std::size_t>(rows * longest), 1.0F);
      const std::span<std::byte> memory = arena.Get(ones.size() * sizeof(float));
      std::memcpy(memory.data(), ones.data(), memory.size());
      outputs[0] = {.dtype = DataType::kFp32, .shape = {rows, longest}, .data = memory};
      return {};
    };
    return made;
  }

  inline static const std::vector<TensorSpec> kSpecs = {
      {.name = "a", .dtype = DataType::kFp32, .shape = {-1, -1}, .first_dim_symbolic = true}};
  ManualClock clock_;
  Logger logger_{{.severity_min = LogSeverity::kError}};
  Watchdog watchdog_{clock_, logger_};
  BatchRunner runner_{clock_, watchdog_};
  FakeSession session_{kSpecs, kSpecs,
                       [](std::span<const TensorView> inputs, FakeOutputs& outputs) {
                         outputs.Add(inputs[0].dtype, inputs[0].shape, inputs[0].data);
                         return Status();
                       }};
  Ragged ragged_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<BatchQueue> queue_;
  std::vector<std::unique_ptr<TestEntry>> entries_;
  std::vector<QueueEntry*> batch_;
};

// What was sent differs where the model's input may: one tensor of both would be of neither shape.
TEST_F(RaggedPreparingTest, RowsOfDifferentShapes_AreNotPreparedAsOne) {
  const auto transform = FloatTransform({-1}, [](float value) { return value + 1; });
  transform->shares = true;
  Make(transform, {});
  Add(1, 10);
  Add(3, 20);
  EXPECT_TRUE(runner_.Run(*queue_, batch_));
  const std::vector<std::vector<float>> expected = {{11, 0, 0}, {21, 22, 23}};
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    ASSERT_TRUE(entries_[i]->result.status.ok()) << entries_[i]->result.status.ToString();
    EXPECT_EQ(entries_[i]->Output(0), expected[i]);
  }
}

TEST_F(RaggedPreparingTest, OutputsThatFollowTheLength_AreOfTheRequestsOwn) {
  const auto transform = Ones();
  transform->shares = true;
  Make(transform, {{.index = 0, .axes = 0b10}});
  Add(1, 2);
  Add(1, 5);
  EXPECT_TRUE(runner_.Run(*queue_, batch_));
  EXPECT_EQ(entries_[0]->Output(0).size(), 2U);
  EXPECT_EQ(entries_[1]->Output(0).size(), 5U);
}

TEST_F(RaggedPreparingTest, OneThatBecomesMuchLonger_IsNotPaddedTo) {
  Make(Ones(), {{.index = 0, .axes = 0b10}});
  for (int i = 0; i < 4; ++i) Add(1, 2);
  Add(1, 1000);
  for (int i = 0; i < 4; ++i) Add(1, 3);
  EXPECT_FALSE(runner_.Run(*queue_, batch_)) << "it ran in two pieces";
  EXPECT_EQ(session_.runs(), 2);
  EXPECT_EQ(queue_->elements(), 8 * 3 + 1000);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    EXPECT_EQ(entries_[i]->Output(0).size(), i < 4 ? 2U : i == 4 ? 1000U : 3U);
  }
}

}  // namespace
}  // namespace penstock
