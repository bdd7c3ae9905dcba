#include "model/warmup.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "support/fake_session.h"
#include "support/fake_transform.h"
#include "support/manual_clock.h"
#include "support/strings.h"

namespace penstock {
namespace {

using Execution = WarmupConfig::Execution;

TensorSpec Spec(const std::string& name, const Shape& shape, DataType dtype = DataType::kFp32) {
  return {.name = name,
          .dtype = dtype,
          .shape = shape,
          .first_dim_symbolic = shape.rank() > 0 && shape[0] < 0};
}

std::vector<float> Floats(const TensorView& view) {
  std::vector<float> values(view.data.size() / sizeof(float));
  std::memcpy(values.data(), view.data.data(), view.data.size());
  return values;
}

// A model that takes `base + per_row * rows` and returns its input, row by row.
FakeSession::Compute Echo(ManualClock& clock, TimeNs base, TimeNs per_row) {
  return [&clock, base, per_row](std::span<const TensorView> inputs, FakeOutputs& outputs) {
    const std::int64_t rows = inputs[0].shape.rank() > 0 ? inputs[0].shape[0] : 1;
    clock.Advance(base + per_row * rows);
    outputs.Add(inputs[0].dtype, inputs[0].shape, inputs[0].data);
    return Status();
  };
}

WarmupReport MustWarmUp(Session& session, const WarmupConfig& config, const Clock& clock) {
  Result<WarmupReport> report = WarmUp(session, config, clock);
  CHECK(report.ok());
  return std::move(report).value();
}

// What the probe says of a model [-1,4] -> [-1,4] with this arithmetic.
WarmupReport WarmUpFloats(const FakeSession::Compute& compute) {
  const ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})}, compute);
  return MustWarmUp(session, {.max_batch_size = 4}, clock);
}

TEST(ChooseMaxBatchSize, TakesSmallestWithinTenPercentOfBest) {
  // l(b) = 3.5 us + 0.2 us * b, as measured on the MLP: best at 128 with 0.227 us a row.
  std::vector<BatchDuration> durations;
  for (std::int64_t rows = 1; rows <= 128; rows *= 2)
    durations.emplace_back(rows, 3500 + 200 * rows);
  EXPECT_EQ(ChooseMaxBatchSize(durations), 128);
  // l(b) = 3 us + 1 us * b: 32 rows at 1.094, best 1.023; 16 rows at 1.188 are beyond 10 %.
  durations.clear();
  for (std::int64_t rows = 1; rows <= 128; rows *= 2)
    durations.emplace_back(rows, 3000 + 1000 * rows);
  EXPECT_EQ(ChooseMaxBatchSize(durations), 32);
}

TEST(ChooseMaxBatchSize, NoGain_IsOne) {
  EXPECT_EQ(ChooseMaxBatchSize(std::vector<BatchDuration>{{1, 100}, {2, 200}, {4, 400}}), 1);
}

TEST(ChooseMaxBatchSize, LargeBatchesGetSlower_StaysBelow) {
  EXPECT_EQ(ChooseMaxBatchSize(std::vector<BatchDuration>{{1, 100}, {2, 120}, {4, 400}}), 2);
}

TEST(ChooseMaxBatchSize, NothingMeasured_IsOne) {
  EXPECT_EQ(ChooseMaxBatchSize({}), 1);
}

TEST(ChooseExecution, ShortFixedModelOnCpu_RunsInline) {
  const ExecutionChoice choice = ChooseExecution({.l1_ns = 3700});
  EXPECT_TRUE(choice.run_inline);
  EXPECT_EQ(choice.reason, "a run of one row takes 3.7 us, at most 100.0 us");
}

TEST(ChooseExecution, LimitIsInclusive) {
  EXPECT_TRUE(ChooseExecution({.l1_ns = 100'000}).run_inline);
  const ExecutionChoice choice = ChooseExecution({.l1_ns = 100'100});
  EXPECT_FALSE(choice.run_inline);
  EXPECT_EQ(choice.reason, "a run of one row takes 100.1 us, more than 100.0 us");
}

TEST(ChooseExecution, UnknownCost_GoesToPool) {
  EXPECT_FALSE(ChooseExecution({.data_dependent_operator = "Loop", .l1_ns = 1000}).run_inline);
  EXPECT_FALSE(ChooseExecution({.dims_fixed = false, .l1_ns = 1000}).run_inline);
  EXPECT_FALSE(ChooseExecution({.l1_ns = std::nullopt}).run_inline);
}

TEST(ChooseExecution, StringsOfAnyLength_GoToPool) {
  const ExecutionChoice choice = ChooseExecution({.takes_strings = true, .l1_ns = 1000});
  EXPECT_FALSE(choice.run_inline);
  EXPECT_EQ(choice.reason, "an input takes strings of any length, so its cost is not known");
}

TEST(ChooseExecution, Configured_IsHonoured) {
  EXPECT_FALSE(ChooseExecution({.asked = Execution::kPool, .l1_ns = 1000}).run_inline);
  const ExecutionChoice slow = ChooseExecution({.asked = Execution::kInline, .l1_ns = 500'000});
  EXPECT_TRUE(slow.run_inline);
  EXPECT_EQ(slow.reason,
            "execution: inline is configured, although a run of one row takes 500.0 us");
}

TEST(ChooseExecution, Device_NeverRunsOnALoop) {
  EXPECT_FALSE(ChooseExecution({.asked = Execution::kInline, .runs_on_cpu = false, .l1_ns = 1000})
                   .run_inline);
}

TEST(WarmUp, IndependentRows_AreBatchableAndMeasured) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})}, Echo(clock, 3000, 1000));
  const WarmupReport report = MustWarmUp(session, {}, clock);
  EXPECT_TRUE(report.batchable) << report.batchable_reason;
  EXPECT_EQ(report.batchable_reason, "");
  ASSERT_EQ(report.durations.size(), 8U);  // 1, 2, 4 ... 128
  EXPECT_EQ(report.durations[0], BatchDuration(1, 4000));
  EXPECT_EQ(report.durations[7], BatchDuration(128, 131'000));
  EXPECT_EQ(report.max_batch_size, 32);
  EXPECT_EQ(report.l1_ns, 4000);
  EXPECT_EQ(report.lmax_ns, 35'000);
  EXPECT_TRUE(report.run_inline);
}

TEST(WarmUp, ConfiguredSize_IsKeptAndMeasuredItself) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})}, Echo(clock, 3000, 1000));
  const WarmupReport report = MustWarmUp(session, {.max_batch_size = 6}, clock);
  EXPECT_EQ(report.max_batch_size, 6);
  EXPECT_EQ(report.durations.back(), BatchDuration(6, 9000));
  EXPECT_EQ(report.lmax_ns, 9000);
}

TEST(WarmUp, SlowModel_StopsRaisingTheBatch) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})},
                      Echo(clock, 0, 60 * kMillisecond));
  const WarmupReport report = MustWarmUp(session, {}, clock);
  // 60, 120 and 240 ms; after a run above 200 ms there is no larger one.
  ASSERT_EQ(report.durations.size(), 3U);
  EXPECT_EQ(report.durations.back(), BatchDuration(4, 240 * kMillisecond));
  EXPECT_EQ(report.max_batch_size, 1);
  EXPECT_FALSE(report.run_inline);
}

TEST(WarmUp, LargeRows_AreNotTriedInBatchesBeyondMemory) {
  ManualClock clock;
  // 4 MiB a row: 64 MiB are 16 rows.
  FakeSession session({Spec("x", {-1, 1 << 20})}, {Spec("y", {-1, 1 << 20})}, Echo(clock, 0, 1000));
  EXPECT_EQ(MustWarmUp(session, {}, clock).durations.back().first, 16);
}

// A chain that makes rows of `row_shape`, and up to 8 MiB of each.
std::unique_ptr<Pipeline> MakingLargeRows(const Session& session, const Shape& row_shape) {
  auto transform = std::make_shared<FakeTransform>();
  transform->takes = {{.dtype = DataType::kBytes, .row_shape = {}}};
  transform->makes = {{.dtype = DataType::kFp32, .row_shape = row_shape}};
  transform->row_bytes_max = 8 << 20;
  PipelineDeclaration declaration;
  declaration.preprocessing.push_back({.from = {"x"},
                                       .to = {session.inputs()[0].name},
                                       .steps = {"fake"},
                                       .transform = std::move(transform)});
  auto made = Pipeline::Create(std::move(declaration), session.inputs(), session.outputs());
  CHECK(made.ok());
  return std::move(made).value();
}

// 128 MiB are 16 rows, and less than 64 MiB is no bound for a batch.
TEST(WarmUp, RowsThatBecomeLarge_AreNotGroupedBeyondMemory) {
  ManualClock clock;
  FakeSession session({Spec("a", {-1, 4})}, {Spec("y", {-1, 4})}, Echo(clock, 3000, 1000));
  const std::unique_ptr<Pipeline> pipeline = MakingLargeRows(session, {4});
  const ProbeReport probe = ProbeBatching(session);
  const auto warm_up = [&](std::int64_t max_batch_size, std::int64_t prepared_bytes_max) {
    Result<WarmupReport> report =
        WarmUp(session, probe, pipeline.get(),
               {.max_batch_size = max_batch_size, .prepared_bytes_max = prepared_bytes_max}, clock);
    CHECK(report.ok());
    return std::move(report).value();
  };
  const WarmupReport many = warm_up(64, 128 << 20);
  EXPECT_EQ(many.max_batch_size, 16);
  EXPECT_EQ(
      many.batchable_reason,
      "max_batch_size is 64, but 16 rows become by preprocessing as much as a batch may hold: "
      "max_message_bytes, 64 MiB at least");
  EXPECT_EQ(warm_up(64, 1 << 20).max_batch_size, 8);
  EXPECT_EQ(warm_up(12, 128 << 20).batchable_reason, "");
  EXPECT_EQ(warm_up(0, 1 << 20).durations.back().first, 8);
  EXPECT_EQ(warm_up(20, 0).max_batch_size, 20) << "no bound is given";
}

TEST(WarmUp, ImpossibleDeclaredShape_IsNotAllocated) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, std::int64_t{1} << 62})}, {Spec("y", {-1, 4})},
                      Echo(clock, 0, 1000));
  const WarmupReport report = MustWarmUp(session, {}, clock);
  EXPECT_FALSE(report.batchable);
  EXPECT_EQ(report.batchable_reason,
            "every probe was refused: one row has more than 268435456 bytes");
  EXPECT_EQ(session.runs(), 0);
}

TEST(WarmUp, RowsSummedUp_AreNotBatchable) {
  const WarmupReport report = WarmUpFloats([](auto inputs, FakeOutputs& outputs) {
    std::vector<float> values = Floats(inputs[0]);
    for (std::size_t i = 4; i < values.size(); ++i) values[i] += values[i - 4];
    outputs.Add(DataType::kFp32, inputs[0].shape, values);
    return Status();
  });
  EXPECT_FALSE(report.batchable);
  EXPECT_EQ(report.batchable_reason,
            "row 1 of output 'y' differs between a run alone and a run of 3 rows");
  EXPECT_EQ(report.max_batch_size, 1);
  EXPECT_EQ(report.durations.size(), 1U);
}

TEST(WarmUp, RowsReduced_AreNotBatchable) {
  const WarmupReport report = WarmUpFloats([](auto /*inputs*/, FakeOutputs& outputs) {
    outputs.Add(DataType::kFp32, {1, 4}, std::vector<float>{1, 2, 3, 4});
    return Status();
  });
  EXPECT_FALSE(report.batchable);
  EXPECT_EQ(report.batchable_reason, "output 'y' has shape [1,4] for 3 rows");
}

TEST(WarmUp, LastBitsDiffer_StaysBatchable) {
  const WarmupReport report = WarmUpFloats([](auto inputs, FakeOutputs& outputs) {
    std::vector<float> values = Floats(inputs[0]);
    const float error = inputs[0].shape[0] > 1 ? 1e-5F : 0;
    for (float& value : values) value = value * 100 + error;
    outputs.Add(DataType::kFp32, inputs[0].shape, values);
    return Status();
  });
  EXPECT_TRUE(report.batchable) << report.batchable_reason;
}

TEST(WarmUp, IntegersOffByOne_AreNotBatchable) {
  const ManualClock clock;
  FakeSession session({Spec("x", {-1, 2}, DataType::kInt64)}, {Spec("y", {-1}, DataType::kInt64)},
                      [](auto inputs, FakeOutputs& outputs) {
                        const std::int64_t rows = inputs[0].shape[0];
                        outputs.Add(
                            DataType::kInt64, {rows},
                            std::vector<std::int64_t>(static_cast<std::size_t>(rows), rows));
                        return Status();
                      });
  EXPECT_FALSE(MustWarmUp(session, {}, clock).batchable);
}

TEST(WarmUp, NotANumberBothTimes_Agrees) {
  const WarmupReport report = WarmUpFloats([](auto inputs, FakeOutputs& outputs) {
    std::vector<float> values = Floats(inputs[0]);
    for (std::size_t i = 0; i < values.size(); i += 4) values[i] = NAN;
    outputs.Add(DataType::kFp32, inputs[0].shape, values);
    return Status();
  });
  EXPECT_TRUE(report.batchable) << report.batchable_reason;
}

TEST(WarmUp, FixedFirstDimension_IsNotBatchableWhateverIsConfigured) {
  ManualClock clock;
  FakeSession session({Spec("x", {1, 4})}, {Spec("y", {1, 4})}, Echo(clock, 1000, 1000));
  const WarmupReport report = MustWarmUp(session, {.max_batch_size = 8}, clock);
  EXPECT_FALSE(report.batchable);
  EXPECT_EQ(report.batchable_reason,
            "input 'x' has the shape [1,4], its first dimension is not free");
  EXPECT_EQ(report.max_batch_size, 1);
  EXPECT_EQ(report.l1_ns, 2000);
  EXPECT_TRUE(report.run_inline);
}

TEST(WarmUp, FreeInnerDimension_IsBatchableButNotInline) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, -1, 2})}, {Spec("y", {-1, -1, 2})}, Echo(clock, 1000, 1000));
  const WarmupReport report = MustWarmUp(session, {.max_batch_size = 2}, clock);
  EXPECT_TRUE(report.batchable) << report.batchable_reason;
  EXPECT_FALSE(report.run_inline);
}

TEST(WarmUp, ControlFlow_IsNotInline) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})}, Echo(clock, 1000, 1000));
  session.set_data_dependent_operator("Loop");
  EXPECT_FALSE(MustWarmUp(session, {}, clock).run_inline);
}

// A table with `entries` rows, looked up by index.
FakeSession::Compute Lookup(std::int64_t entries) {
  return [entries](std::span<const TensorView> inputs, FakeOutputs& outputs) {
    std::vector<std::int64_t> index(inputs[0].data.size() / 8);
    std::memcpy(index.data(), inputs[0].data.data(), inputs[0].data.size());
    for (const std::int64_t i : index) {
      if (i < 0 || i >= entries) return InvalidArgument("index out of range");
    }
    outputs.Add(DataType::kInt64, inputs[0].shape, inputs[0].data);
    return Status();
  };
}

TEST(WarmUp, IndexIntoTwoEntries_IsFoundBySmallerNumbers) {
  const ManualClock clock;
  FakeSession session({Spec("i", {-1, 8}, DataType::kInt64)},
                      {Spec("y", {-1, 8}, DataType::kInt64)}, Lookup(2));
  const WarmupReport report = MustWarmUp(session, {}, clock);
  EXPECT_TRUE(report.batchable) << report.batchable_reason;
  EXPECT_EQ(report.probe_note,
            "probed with floats from 0 to 1 and integers 0 and 1 because other values were "
            "refused: index out of range");
}

TEST(WarmUp, OnlyIndexZeroAccepted_IsNoProof) {
  const ManualClock clock;
  FakeSession session({Spec("i", {-1, 8}, DataType::kInt64)},
                      {Spec("y", {-1, 8}, DataType::kInt64)}, Lookup(1));
  const WarmupReport report = MustWarmUp(session, {}, clock);
  EXPECT_FALSE(report.batchable);
  EXPECT_NE(report.probe_note.find("integers 0 because"), std::string::npos) << report.probe_note;
}

TEST(WarmUp, BatchRefused_NamesTheBatchAndNotTheRow) {
  const WarmupReport report = WarmUpFloats([](auto inputs, FakeOutputs& outputs) {
    if (inputs[0].shape[0] != 1) return Internal("cannot reshape");
    outputs.Add(DataType::kFp32, inputs[0].shape, Floats(inputs[0]));
    return Status();
  });
  EXPECT_FALSE(report.batchable);
  EXPECT_EQ(report.batchable_reason, "a run of 3 rows fails: cannot reshape");
  EXPECT_EQ(report.probe_note, "");
}

// Words of each string, padded to the most that any of the batch has: what others bring shows.
TEST(WarmUp, StringsPaddedToTheirNeighbours_AreNotBatchable) {
  for (const char separator : {' ', ','}) {
    const ManualClock clock;
    FakeSession session(
        {Spec("x", {-1}, DataType::kBytes)}, {Spec("words", {-1, -1}, DataType::kBytes)},
        [separator](auto inputs, FakeOutputs& outputs) {
          std::vector<std::string> words;
          std::size_t most = 0;
          const std::vector<std::string> strings = StringsOf(inputs[0].data);
          for (const std::string& text : strings) {
            most = std::max<std::size_t>(
                most, 1 + static_cast<std::size_t>(std::ranges::count(text, separator)));
          }
          for (const std::string& text : strings) {
            words.push_back(text);
            for (std::size_t i = 1; i < most; ++i) words.emplace_back();
          }
          outputs.AddStrings({inputs[0].shape[0], static_cast<std::int64_t>(most)}, words);
          return Status();
        });
    EXPECT_FALSE(MustWarmUp(session, {}, clock).batchable) << separator;
  }
}

// Text that must be a number is found by the narrower values.
TEST(WarmUp, StringsThatMustBeNumbers_AreProbed) {
  const ManualClock clock;
  FakeSession session({Spec("x", {-1, 2}, DataType::kBytes)}, {Spec("y", {-1, 2})},
                      [](auto inputs, FakeOutputs& outputs) {
                        std::vector<float> numbers;
                        for (const std::string& text : StringsOf(inputs[0].data)) {
                          if (text != "0" && text != "1") return InvalidArgument("no number");
                          numbers.push_back(text == "1" ? 1 : 0);
                        }
                        outputs.Add(DataType::kFp32, inputs[0].shape, numbers);
                        return Status();
                      });
  const WarmupReport report = MustWarmUp(session, {.max_batch_size = 4}, clock);
  EXPECT_TRUE(report.batchable) << report.batchable_reason;
  EXPECT_FALSE(report.run_inline);
}

TEST(WarmUp, OnlyZerosAccepted_IsNoProof) {
  const ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})},
                      [](auto inputs, FakeOutputs& outputs) {
                        for (const float value : Floats(inputs[0])) {
                          if (value != 0) return InvalidArgument("only zeros here");
                        }
                        outputs.Add(DataType::kFp32, inputs[0].shape, Floats(inputs[0]));
                        return Status();
                      });
  const WarmupReport report = MustWarmUp(session, {}, clock);
  EXPECT_FALSE(report.batchable);
  EXPECT_EQ(report.batchable_reason,
            "the rows of every probe that was accepted are alike, which proves nothing");
  EXPECT_EQ(report.probe_note,
            "probed with zeros because other values were refused: only zeros here");
  EXPECT_EQ(report.durations.size(), 1U);
}

TEST(WarmUp, EveryProbeRefused_LoadsUnbatchedWithTheEnginesReason) {
  const ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})},
                      [](auto, FakeOutputs&) { return Internal("no such luck"); });
  const WarmupReport report = MustWarmUp(session, {.max_batch_size = 8}, clock);
  EXPECT_FALSE(report.batchable);
  EXPECT_EQ(report.batchable_reason, "every probe was refused: no such luck");
  EXPECT_EQ(report.max_batch_size, 1);
  EXPECT_FALSE(report.run_inline);
  EXPECT_TRUE(report.durations.empty());
}

TEST(WarmUp, LargeBatchFails_LimitsTheSizeWithReason) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})},
                      [&clock](auto inputs, FakeOutputs& outputs) {
                        if (inputs[0].shape[0] > 4) return Internal("out of memory");
                        clock.Advance(1000);
                        outputs.Add(DataType::kFp32, inputs[0].shape, Floats(inputs[0]));
                        return Status();
                      });
  const WarmupReport report = MustWarmUp(session, {.max_batch_size = 16}, clock);
  EXPECT_TRUE(report.batchable);
  EXPECT_EQ(report.max_batch_size, 4);
  EXPECT_EQ(report.batchable_reason, "a run of 8 rows fails: out of memory");
}

TEST(WarmUp, SameModelTwice_SeesTheSameNumbers) {
  std::vector<std::vector<float>> seen;
  for (int i = 0; i < 2; ++i) {
    WarmUpFloats([&seen](auto inputs, FakeOutputs& outputs) {
      seen.push_back(Floats(inputs[0]));
      outputs.Add(DataType::kFp32, inputs[0].shape, Floats(inputs[0]));
      return Status();
    });
  }
  ASSERT_EQ(seen.size() % 2, 0U);
  const std::size_t half = seen.size() / 2;
  for (std::size_t i = 0; i < half; ++i) EXPECT_EQ(seen[i], seen[half + i]);
  // The rows of the probe's batch differ from each other.
  const std::vector<float>& batch = seen[1];
  ASSERT_EQ(batch.size(), 12U);
  EXPECT_NE(std::vector<float>(batch.begin(), batch.begin() + 4),
            std::vector<float>(batch.begin() + 4, batch.begin() + 8));
}

TEST(WarmUp, ConfigOutOfRange_IsInvalidArgument) {
  const ManualClock clock;
  FakeSession session({Spec("x", {-1, 4})}, {Spec("y", {-1, 4})},
                      [](auto, FakeOutputs&) { return Internal("not reached"); });
  EXPECT_EQ(WarmUp(session, {.max_batch_size = -1}, clock).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(session.runs(), 0);
}

TEST(WarmUp, EveryDtype_IsProbed) {
  for (int i = 1; i <= static_cast<int>(DataType::kBytes); ++i) {
    const DataType type = static_cast<DataType>(i);
    SCOPED_TRACE(DataTypeName(type));
    ManualClock clock;
    FakeSession session({Spec("x", {-1, 4}, type)}, {Spec("y", {-1, 4}, type)},
                        Echo(clock, 1000, 0));
    const WarmupReport report = MustWarmUp(session, {.max_batch_size = 2}, clock);
    EXPECT_TRUE(report.batchable) << report.batchable_reason;
  }
}

// Inputs of any length up to 100, which take 1 ms and 10 us for each element.
TEST(WarmupTest, RaggedModel_IsTimedByRowsAndLength) {
  ManualClock clock;
  FakeSession session({Spec("x", {-1, -1})}, {Spec("y", {-1, -1})},
                      [&clock](std::span<const TensorView> inputs, FakeOutputs& outputs) -> Status {
                        const Shape& shape = inputs[0].shape;
                        if (shape[1] > 100) return InvalidArgument("too long");
                        clock.Advance(kMillisecond + shape[0] * shape[1] * 10 * kMicrosecond);
                        outputs.Add(inputs[0].dtype, shape, inputs[0].data);
                        return {};
                      });
  const Ragged ragged = {.inputs = {{.index = 0}}};
  const auto report = [&](std::int64_t max_batch_size) {
    Result<WarmupReport> warmed =
        WarmUp(session, {.max_batch_size = max_batch_size, .ragged = &ragged}, clock);
    CHECK(warmed.ok());
    return std::move(warmed).value();
  };
  const WarmupReport chosen = report(0);
  EXPECT_TRUE(chosen.batchable);
  EXPECT_EQ(chosen.batchable_reason, "") << "that it takes no more than 100 is no fault";
  for (const auto& [work, duration] : chosen.durations) {
    EXPECT_EQ(duration, kMillisecond + work * 10 * kMicrosecond) << work;
  }
  // 1 ms is a tenth of what 1,000 elements take.
  EXPECT_EQ(chosen.work_max, 1024);
  EXPECT_EQ(chosen.max_batch_size, 1024 / kRunLengthMin);
  const WarmupReport configured = report(4);
  EXPECT_EQ(configured.max_batch_size, 4);
  EXPECT_EQ(configured.durations.back().first, 4 * 64) << "longer ones were refused";
  EXPECT_FALSE(chosen.run_inline);
}

// Short ones may be as many as carry the work, but for what each may become.
TEST(WarmupTest, RaggedRowsThatBecomeLarge_AreNotGroupedBeyondMemory) {
  ManualClock clock;
  FakeSession session({Spec("a", {-1, -1})}, {Spec("y", {-1, -1})},
                      [&clock](std::span<const TensorView> inputs, FakeOutputs& outputs) -> Status {
                        const Shape& shape = inputs[0].shape;
                        clock.Advance(kMillisecond + shape[0] * shape[1] * 10 * kMicrosecond);
                        outputs.Add(inputs[0].dtype, shape, inputs[0].data);
                        return {};
                      });
  const std::unique_ptr<Pipeline> pipeline = MakingLargeRows(session, {-1});
  const Ragged ragged = {.inputs = {{.index = 0}}};
  const Result<WarmupReport> report = WarmUp(session, ProbeBatching(session), pipeline.get(),
                                             {.ragged = &ragged, .prepared_bytes_max = 1}, clock);
  ASSERT_TRUE(report.ok());
  EXPECT_GT(report.value().work_max, 8 * kRunLengthMin);
  EXPECT_EQ(report.value().max_batch_size, 8) << "64 MiB";
}

}  // namespace
}  // namespace penstock
