// Batches of a model with a pipeline: prepared as one or one by one, and what a failure costs.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "batching/batch_runner.h"
#include "batching/batch_worker.h"
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

// One input and one output, "a", whose rows have the shape that a test says: what transforms make
// of "x", and of "a" behind the model.
class PreparingTest : public testing::Test {
 protected:
  explicit PreparingTest(const Shape& shape)
      : specs_(
            {{.name = "a", .dtype = DataType::kFp32, .shape = shape, .first_dim_symbolic = true}}),
        session_(specs_, specs_, [this](std::span<const TensorView> inputs, FakeOutputs& outputs) {
          clock_.Advance(kRunTime);
          outputs.Add(inputs[0].dtype, inputs[0].shape, inputs[0].data);
          return Status();
        }) {}

  void Make(std::shared_ptr<const Transform> before, std::shared_ptr<const Transform> behind,
            const BatchLimits& limits) {
    PipelineDeclaration declaration;
    if (before != nullptr) {
      declaration.preprocessing.push_back(
          {.from = {"x"}, .to = {"a"}, .steps = {"fake"}, .transform = std::move(before)});
    }
    if (behind != nullptr) {
      declaration.postprocessing.push_back(
          {.from = {"a"}, .to = {"y"}, .steps = {"fake"}, .transform = std::move(behind)});
    }
    Result<std::unique_ptr<Pipeline>> made =
        Pipeline::Create(std::move(declaration), specs_, specs_);
    CHECK(made.ok());
    pipeline_ = std::move(made).value();
    queue_ = std::make_unique<BatchQueue>(
        session_, BatchQueue::Options{.model = "m", .limits = limits, .pipeline = pipeline_.get()});
  }
  TestEntry& Add(std::int64_t rows, std::int64_t columns, float first) {
    TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
    entry.AddInput(rows, columns, first);
    batch_.push_back(&entry);
    return entry;
  }

  static constexpr TimeNs kRunTime = 100 * kMicrosecond;

  const std::vector<TensorSpec> specs_;
  ManualClock clock_;
  Logger logger_{{.severity_min = LogSeverity::kError}};
  Watchdog watchdog_{clock_, logger_};
  BatchRunner runner_{clock_, watchdog_};
  FakeSession session_;
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<BatchQueue> queue_;
  std::vector<std::unique_ptr<TestEntry>> entries_;
  std::vector<QueueEntry*> batch_;
};

// x + 1 in front of the model or behind it; a value below 0 fails the run.
class SharedPreparingTest : public PreparingTest {
 protected:
  SharedPreparingTest() : PreparingTest({-1, 1}) {
    plus_one_->shares = true;
    plus_one_->compute = [this, change = plus_one_->compute](std::span<const TensorView> inputs,
                                                             std::int64_t rows, TensorArena& arena,
                                                             std::span<TensorView> outputs) {
      runs_.push_back(rows);
      clock_.Advance(rows * kRowTime);
      return failure_.ok() ? change(inputs, rows, arena, outputs) : failure_;
    };
  }
  static constexpr TimeNs kRowTime = 7 * kMicrosecond;

  void MakeBefore() { Make(plus_one_, nullptr, {}); }
  void MakeBehind() { Make(nullptr, plus_one_, {}); }
  void ExpectAllFailed() {
    for (const auto& entry : entries_) {
      EXPECT_EQ(entry->result.status.code(), failure_.code());
      EXPECT_TRUE(entry->result.status.message().ends_with(failure_.message()));
    }
  }

  const std::shared_ptr<FakeTransform> plus_one_ =
      FloatTransform({1}, [](float value) { return value + 1; });
  std::vector<std::int64_t> runs_;  // of plus_one_: the rows of each
  Status failure_;                  // of every run
};

TEST_F(SharedPreparingTest, Batch_IsPreparedAsOne) {
  MakeBefore();
  Add(2, 1, 1);
  Add(1, 1, 50);
  std::vector<std::vector<float>> expected;
  for (const auto& entry : entries_) {
    std::vector<float>& values = expected.emplace_back(static_cast<std::size_t>(entry->rows));
    std::memcpy(values.data(), entry->inputs[0].data.data(), values.size() * sizeof(float));
    for (float& value : values) value += 1;
  }
  EXPECT_TRUE(runner_.Run(*queue_, batch_));
  EXPECT_EQ(runs_, std::vector<std::int64_t>{3});
  EXPECT_EQ(session_.runs(), 1);
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    ASSERT_TRUE(entries_[i]->result.status.ok()) << entries_[i]->result.status.ToString();
    EXPECT_EQ(entries_[i]->Output(0), expected[i]);
  }
}

TEST_F(SharedPreparingTest, OneThatFails_FailsAlone) {
  MakeBefore();
  Add(1, 1, 1);
  Add(1, 1, -50);
  Add(1, 1, 3);
  EXPECT_FALSE(runner_.Run(*queue_, batch_));
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{3, 1, 1, 1}));
  EXPECT_TRUE(entries_[0]->result.status.ok());
  EXPECT_EQ(entries_[1]->result.status.ToString(),
            "INVALID_ARGUMENT: input 'x': row 0: a negative value");
  EXPECT_TRUE(entries_[2]->result.status.ok());
}

// It has had its time, or nobody computes it any more: for the rest of the batch no less than for
// one of it.
TEST_F(SharedPreparingTest, FinalFailureInFront_IsNotTriedOneByOne) {
  MakeBefore();
  for (int i = 0; i < 4; ++i) Add(1, 1, 1);
  failure_ = Internal("too slow").AsFinal();
  EXPECT_FALSE(runner_.Run(*queue_, batch_));
  EXPECT_EQ(runs_, std::vector<std::int64_t>{4});
  EXPECT_EQ(session_.runs(), 0);
  ExpectAllFailed();
}

TEST_F(SharedPreparingTest, FinalFailureBehind_IsNotRunAgainInHalves) {
  MakeBehind();
  for (int i = 0; i < 4; ++i) Add(1, 1, 1);
  failure_ = Internal("too slow").AsFinal();
  EXPECT_FALSE(runner_.Run(*queue_, batch_));
  EXPECT_EQ(runs_, std::vector<std::int64_t>{4});
  EXPECT_EQ(session_.runs(), 1);
  ExpectAllFailed();
}

// The next batch is another matter.
TEST_F(SharedPreparingTest, BadRowBehindAfterAFinalFailure_FailsAlone) {
  MakeBehind();
  Add(1, 1, 1);
  Add(1, 1, -50);
  failure_ = Internal("too slow").AsFinal();
  runner_.Run(*queue_, batch_);
  failure_ = {};
  runs_.clear();
  batch_.clear();
  const TestEntry& good = Add(1, 1, 1);
  const TestEntry& bad = Add(1, 1, -50);
  runner_.Run(*queue_, batch_);
  EXPECT_EQ(runs_, (std::vector<std::int64_t>{2, 1, 1}));
  EXPECT_TRUE(good.result.status.ok());
  EXPECT_EQ(bad.result.status.code(), StatusCode::kInvalidArgument);
}

// One bad row in every batch must not keep a model from learning how long its runs take.
TEST_F(SharedPreparingTest, EntryThatCannotBePrepared_LeavesWhatTheOthersTeach) {
  plus_one_->shares = false;
  MakeBefore();
  Add(2, 1, 1);
  Add(1, 1, -50);
  Add(1, 1, 3);
  RunObserved(runner_, *queue_, batch_, clock_.Now(), clock_);
  EXPECT_EQ(queue_->service_time().Predict(3), 3 * kRowTime + kRunTime);
  ASSERT_EQ(queue_->service_time().Buckets().size(), 1U);
  EXPECT_EQ(queue_->service_time().Buckets().front().rows_mean, 3);
}

TEST_F(SharedPreparingTest, NothingThatCouldBePrepared_TeachesNothing) {
  plus_one_->shares = false;
  MakeBefore();
  Add(2, 1, -10);
  Add(1, 1, -50);
  RunObserved(runner_, *queue_, batch_, clock_.Now(), clock_);
  EXPECT_TRUE(queue_->service_time().Buckets().empty());
}

// What was prepared twice says nothing of a batch that is well.
TEST_F(SharedPreparingTest, SecondAttempt_TeachesNothing) {
  MakeBefore();
  Add(2, 1, 1);
  Add(1, 1, -50);
  RunObserved(runner_, *queue_, batch_, clock_.Now(), clock_);
  EXPECT_TRUE(queue_->service_time().Buckets().empty());
}

// Of any length.
class RaggedPreparingTest : public PreparingTest {
 protected:
  RaggedPreparingTest() : PreparingTest({-1, -1}) {}

  void Make(std::shared_ptr<FakeTransform> transform, std::vector<RaggedOutput> outputs) {
    ragged_ = {.inputs = {{.index = 0}}, .outputs = std::move(outputs)};
    PreparingTest::Make(std::move(transform), nullptr,
                        {.batchable = true, .rows_max = 64, .ragged = &ragged_});
  }
  void Add(std::int64_t columns, float first) {
    PreparingTest::Add(1, columns, first).run_length = kRunLengthMin;
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

  Ragged ragged_;
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
