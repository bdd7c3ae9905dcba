// Rows of different lengths in one run: what shares one, how it is padded, what each gets back.
#include "batching/ragged.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "batching/batch_queue.h"
#include "batching/batch_runner.h"
#include "batching/unpadded_outputs.h"
#include "support/fake_session.h"
#include "support/manual_clock.h"
#include "support/random_source.h"
#include "support/test_entry.h"

namespace penstock {
namespace {

template <typename T>
std::array<std::byte, 8> ElementOf(T value) {
  std::array<std::byte, 8> element{};
  std::memcpy(element.data(), &value, sizeof(value));
  return element;
}

template <typename T>
std::vector<T> ValuesOf(std::span<const std::byte> data) {
  std::vector<T> values(data.size() / sizeof(T));
  if (!data.empty()) std::memcpy(values.data(), data.data(), data.size());
  return values;
}

// A tensor with memory of its own.
struct Owned {
  template <typename T>
  Owned(DataType dtype, const Shape& shape, const std::vector<T>& values) {
    const std::span<const std::byte> from = std::as_bytes(std::span(values));
    bytes.assign(from.begin(), from.end());
    view = {.dtype = dtype, .shape = shape, .data = bytes};
  }
  std::vector<std::byte> bytes;
  TensorView view;
};

TEST(RaggedTest, RunLength_BoundsPadding) {
  const std::vector<std::int64_t> steps = {16, 22, 32, 45, 64, 90, 128, 181, 256};
  for (std::int64_t length = 0; length <= 256; ++length) {
    EXPECT_EQ(RunLength(length), *std::ranges::lower_bound(steps, length)) << length;
  }
  for (std::int64_t length = 17; length < 100'000; ++length) {
    EXPECT_LT((RunLength(length) - length) * 10, RunLength(length) * 3) << length;
    EXPECT_EQ(RunLength(RunLength(length)), RunLength(length)) << length;
  }
  EXPECT_GT(RunLength(std::int64_t{1} << 62), 0);
}

class GatherTest : public testing::Test {
 protected:
  const Gathered& Gather(const std::vector<std::vector<TensorView>>& entries,
                         const Ragged* ragged) {
    members_.assign(entries.begin(), entries.end());
    gathered_ = gatherer_.Gather(members_, ragged, arena_);
    return gathered_;
  }

  std::vector<std::span<const TensorView>> members_;
  Gatherer gatherer_;
  TensorArena arena_;
  Gathered gathered_;
};

TEST_F(GatherTest, Rows_ArePaddedAlongTheAxisToTheLongest) {
  const Ragged ragged = {.inputs = {{.index = 0, .axis = 2, .pad = ElementOf<std::int16_t>(-7)}}};
  // [rows, 2, length, 2] and an input that is not ragged.
  const Owned a(DataType::kInt16, {1, 2, 1, 2}, std::vector<std::int16_t>{1, 2, 3, 4});
  const Owned b(DataType::kInt16, {1, 2, 2, 2},
                std::vector<std::int16_t>{11, 12, 13, 14, 15, 16, 17, 18});
  const Owned one(DataType::kFp32, {1, 1}, std::vector<float>{1});
  const Owned two(DataType::kFp32, {1, 1}, std::vector<float>{2});
  const Gathered& gathered = Gather({{a.view, one.view}, {b.view, two.view}}, &ragged);
  EXPECT_EQ(gathered.inputs[0].shape, (Shape{2, 2, 2, 2}));
  EXPECT_EQ(
      ValuesOf<std::int16_t>(gathered.inputs[0].data),
      (std::vector<std::int16_t>{1, 2, -7, -7, 3, 4, -7, -7, 11, 12, 13, 14, 15, 16, 17, 18}));
  EXPECT_EQ(ValuesOf<float>(gathered.inputs[1].data), (std::vector<float>{1, 2}));
  EXPECT_EQ(gathered.length, 2);
  EXPECT_EQ(gathered.elements, 4);
  EXPECT_EQ(gathered.padding, 1);
}

TEST_F(GatherTest, Mask_IsMadeWhereItWasLeftOut) {
  const Ragged ragged = {
      .inputs = {{.index = 0}, {.index = 1, .one = ElementOf<std::int64_t>(1), .mask = true}}};
  const Owned ids(DataType::kInt64, {2, 2}, std::vector<std::int64_t>{5, 6, 7, 8});
  const TensorView none = {.dtype = DataType::kInt64, .shape = {2, 2}};
  EXPECT_EQ(ValuesOf<std::int64_t>(Gather({{ids.view, none}}, &ragged).inputs[1].data),
            (std::vector<std::int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(gathered_.inputs[0].data.data(), ids.view.data.data()) << "there is nothing to pad";
  const Owned longer(DataType::kInt64, {1, 3}, std::vector<std::int64_t>{1, 2, 3});
  const Owned own_mask(DataType::kInt64, {1, 3}, std::vector<std::int64_t>{1, 0, 1});
  EXPECT_EQ(ValuesOf<std::int64_t>(
                Gather({{ids.view, none}, {longer.view, own_mask.view}}, &ragged).inputs[1].data),
            (std::vector<std::int64_t>{1, 1, 0, 1, 1, 0, 1, 0, 1}));
}

TEST_F(GatherTest, MaskOfNothing_IsMadeAtOnceHoweverManyRowsThereAre) {
  const Ragged ragged = {
      .inputs = {{.index = 0}, {.index = 1, .one = ElementOf<std::int64_t>(1), .mask = true}}};
  const TensorView none = {.dtype = DataType::kInt64, .shape = {std::int64_t{1} << 60, 0}};
  EXPECT_TRUE(Gather({{none, none}}, &ragged).inputs[1].data.empty());
}

TEST_F(GatherTest, PaddingBefore_IsPutThereAndCutFromThere) {
  const Ragged ragged = {.inputs = {{.index = 0, .pad = ElementOf<float>(9), .before = true}},
                         .outputs = {{.index = 0, .axes = 0b10}, {.index = 1, .axes = 0b110}}};
  const Owned a(DataType::kFp32, {1, 2}, std::vector<float>{1, 2});
  const Owned b(DataType::kFp32, {1, 3}, std::vector<float>{3, 4, 5});
  const Gathered& gathered = Gather({{a.view}, {b.view}}, &ragged);
  EXPECT_EQ(ValuesOf<float>(gathered.inputs[0].data), (std::vector<float>{9, 1, 2, 3, 4, 5}));
  std::atomic<std::int64_t> live = 0;
  const auto outputs = std::make_shared<FakeOutputs>(&live);
  outputs->Add(DataType::kFp32, {2, 3}, std::vector<float>{0, 1, 2, 3, 4, 5});
  std::vector<float> squares(18);
  for (std::size_t i = 0; i < squares.size(); ++i) squares[i] = static_cast<float>(i);
  outputs->Add(DataType::kFp32, {2, 3, 3}, squares);
  const UnpaddedOutputs own(outputs, ragged, {.first = 0, .count = 1, .of = 2}, 2);
  EXPECT_EQ(own.tensors()[0].shape, (Shape{1, 2}));
  EXPECT_EQ(ValuesOf<float>(own.tensors()[0].data), (std::vector<float>{1, 2}));
  EXPECT_EQ(own.tensors()[1].shape, (Shape{1, 2, 2}));
  EXPECT_EQ(ValuesOf<float>(own.tensors()[1].data), (std::vector<float>{4, 5, 7, 8}));
}

TEST_F(GatherTest, WhatStandsInOnePiece_IsNotCopied) {
  const Owned rows(DataType::kFp32, {4, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  const auto part = [&rows](std::int64_t first, std::int64_t count) {
    TensorView view = rows.view;
    view.shape.Set(0, count);
    view.data =
        view.data.subspan(static_cast<std::size_t>(first) * 8, static_cast<std::size_t>(count) * 8);
    return view;
  };
  EXPECT_EQ(Gather({{part(2, 1)}}, nullptr).inputs[0].data.data(), part(2, 1).data.data());
  const Gathered& two = Gather({{part(0, 1)}, {part(1, 3)}}, nullptr);
  EXPECT_EQ(two.inputs[0].data.data(), rows.view.data.data());
  EXPECT_EQ(two.inputs[0].data.size(), rows.bytes.size());
  EXPECT_EQ(two.inputs[0].shape, (Shape{4, 2}));
  EXPECT_EQ(ValuesOf<float>(Gather({{part(1, 1)}, {part(0, 1)}}, nullptr).inputs[0].data),
            (std::vector<float>{3, 4, 1, 2}));
}

TEST_F(GatherTest, UnalignedTensor_IsCopied) {
  const Owned bytes(DataType::kUint8, {9}, std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8});
  const TensorView odd = {
      .dtype = DataType::kInt32, .shape = {1, 2}, .data = bytes.view.data.subspan(1)};
  const std::span<const std::byte> data = Gather({{odd}}, nullptr).inputs[0].data;
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(data.data()) % 4, 0U);
  EXPECT_TRUE(std::ranges::equal(data, odd.data));
}

// x [rows, length] and its mask. Outputs: twice each element; the masked sum of a row; every
// product of two elements of a row, [rows, length, length].
Status ThreeWays(std::span<const TensorView> inputs, FakeOutputs& outputs) {
  const std::vector<float> x = ValuesOf<float>(inputs[0].data);
  const std::vector<std::int32_t> mask = ValuesOf<std::int32_t>(inputs[1].data);
  const std::int64_t rows = inputs[0].shape[0];
  const std::int64_t length = inputs[0].shape[1];
  EXPECT_EQ(inputs[1].shape, inputs[0].shape);
  EXPECT_EQ(x.size(), static_cast<std::size_t>(rows * length));
  EXPECT_EQ(mask.size(), x.size());
  std::vector<float> twice, sums, products;
  for (const float value : x) twice.push_back(2 * value);
  const auto width = static_cast<std::size_t>(length);
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    float sum = 0;
    for (std::size_t i = 0; i < width; ++i) {
      sum += x[row * width + i] * static_cast<float>(mask[row * width + i]);
      for (std::size_t k = 0; k < width; ++k) {
        products.push_back(x[row * width + i] * x[row * width + k]);
      }
    }
    sums.push_back(sum);
  }
  outputs.Add(DataType::kFp32, {rows, length}, twice);
  outputs.Add(DataType::kFp32, {rows, 1}, sums);
  outputs.Add(DataType::kFp32, {rows, length, length}, products);
  return {};
}

const std::vector<TensorSpec> kThreeInputs = {
    {.name = "x", .dtype = DataType::kFp32, .shape = {-1, -1}, .first_dim_symbolic = true},
    {.name = "mask", .dtype = DataType::kInt32, .shape = {-1, -1}, .first_dim_symbolic = true}};
const std::vector<TensorSpec> kThreeOutputs = {
    {.name = "twice", .dtype = DataType::kFp32, .shape = {-1, -1}, .first_dim_symbolic = true},
    {.name = "sum", .dtype = DataType::kFp32, .shape = {-1, 1}, .first_dim_symbolic = true},
    {.name = "products",
     .dtype = DataType::kFp32,
     .shape = {-1, -1, -1},
     .first_dim_symbolic = true}};
// The padding of x counts nowhere, so that it may be anything.
const Ragged kThreeRagged = {
    .inputs = {{.index = 0, .pad = ElementOf<float>(1e9F)},
               {.index = 1, .one = ElementOf<std::int32_t>(1), .mask = true}},
    .outputs = {{.index = 0, .axes = 0b10}, {.index = 2, .axes = 0b110}}};

class RaggedEntry final : public QueueEntry {
 public:
  RaggedEntry(RandomSource& random, std::int64_t row_count, std::int64_t length) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < row_count * length; ++i) {
      values.push_back(static_cast<float>(random.Below(1000)));
    }
    x_ = std::make_unique<Owned>(DataType::kFp32, Shape{row_count, length}, values);
    views_ = {x_->view, {.dtype = DataType::kInt32, .shape = {row_count, length}}};
    inputs = views_;
    rows = row_count;
    run_length = RunLength(length);
  }
  ~RaggedEntry() { static_cast<ListLink<QueueEntry>&>(*this).Unlink(); }
  void Deliver() override {}

  // What the client is sent.
  TensorView Output(std::size_t index) const {
    TensorView view = result.outputs->tensors()[index];
    if (view.shape[0] == rows) return view;
    view.shape.Set(0, rows);
    view.data = OutputRows(*result.outputs, index,
                           {.first = result.first_row, .count = rows, .of = result.batch_rows});
    return view;
  }

 private:
  std::unique_ptr<Owned> x_;
  std::vector<TensorView> views_;
};

TEST(RaggedRunTest, MixedLengths_GetWhatTheyWouldHaveGotAlone) {
  ManualClock clock;
  Logger logger{{.severity_min = LogSeverity::kError}};
  Watchdog watchdog(clock, logger);
  BatchRunner runner(clock, watchdog);
  FakeSession session(kThreeInputs, kThreeOutputs, ThreeWays);
  const BatchLimits limits = {.batchable = true, .rows_max = 64, .ragged = &kThreeRagged};
  BatchQueue queue(session, {.model = "m", .limits = limits});
  const std::uint64_t seed = RandomSource::Seed(11);
  SCOPED_TRACE(seed);
  RandomSource random(seed);
  std::int64_t elements = 0;
  std::int64_t own = 0;
  for (int round = 0; round < 100; ++round) {
    std::vector<std::unique_ptr<RaggedEntry>> entries;
    std::vector<QueueEntry*> batch;
    std::int64_t longest = 0;
    std::int64_t rows = 0;
    for (std::size_t n = 1 + random.Below(6); n > 0; --n) {
      const auto length = static_cast<std::int64_t>(1 + random.Below(9));
      const auto count = static_cast<std::int64_t>(1 + random.Below(3));
      entries.push_back(std::make_unique<RaggedEntry>(random, count, length));
      batch.push_back(entries.back().get());
      longest = std::max(longest, length);
      rows += count;
      own += count * length;
    }
    elements += rows * longest;
    ASSERT_TRUE(runner.Run(queue, batch));
    EXPECT_EQ(session.runs(), round + 1);
    std::int64_t first_row = 0;
    for (const std::unique_ptr<RaggedEntry>& entry : entries) {
      EXPECT_EQ(entry->result.first_row, first_row);
      EXPECT_EQ(entry->result.batch_rows, rows);
      first_row += entry->rows;
      std::atomic<std::int64_t> live = 0;
      FakeOutputs alone(&live);
      std::vector<std::int32_t> ones(entry->inputs[0].data.size() / 4, 1);
      const TensorView mask = {.dtype = DataType::kInt32,
                               .shape = entry->inputs[0].shape,
                               .data = std::as_bytes(std::span(ones))};
      ASSERT_TRUE(ThreeWays(std::array{entry->inputs[0], mask}, alone).ok());
      for (std::size_t i = 0; i < 3; ++i) {
        const TensorView output = entry->Output(i);
        EXPECT_EQ(output.shape, alone.tensors()[i].shape);
        EXPECT_EQ(ValuesOf<float>(output.data), ValuesOf<float>(alone.tensors()[i].data)) << i;
      }
    }
  }
  EXPECT_EQ(queue.elements(), elements);
  EXPECT_EQ(queue.padding(), elements - own);
  EXPECT_EQ(session.live_outputs(), 0);
}

TEST(RaggedRunTest, OutputThatDoesNotFollow_FailsTheRun) {
  ManualClock clock;
  Logger logger{{.severity_min = LogSeverity::kError}};
  Watchdog watchdog(clock, logger);
  BatchRunner runner(clock, watchdog);
  FakeSession session(kThreeInputs, kThreeOutputs, [](auto inputs, FakeOutputs& outputs) {
    const std::int64_t rows = inputs[0].shape[0];
    outputs.Add(DataType::kFp32, {rows, 1}, std::vector<float>(static_cast<std::size_t>(rows)));
    outputs.Add(DataType::kFp32, {rows, 1}, std::vector<float>(static_cast<std::size_t>(rows)));
    outputs.Add(DataType::kFp32, {rows, 1, 1}, std::vector<float>(static_cast<std::size_t>(rows)));
    return Status();
  });
  const BatchLimits limits = {.batchable = true, .rows_max = 64, .ragged = &kThreeRagged};
  BatchQueue queue(session, {.model = "m", .limits = limits});
  RandomSource random(1);
  RaggedEntry a(random, 1, 2);
  RaggedEntry b(random, 1, 3);
  std::vector<QueueEntry*> batch = {&a, &b};
  EXPECT_FALSE(runner.Run(queue, batch));
  EXPECT_EQ(session.runs(), 3) << "together, then each alone, which has nothing to cut";
  EXPECT_TRUE(a.result.status.ok());
  EXPECT_EQ(CheckRaggedOutputs(*a.result.outputs, kThreeRagged, 3).message(),
            "the model returned an output of shape [1,1] for inputs of length 3");
}

// l(work) = 4 ms + 10 us * work.
constexpr std::array<BatchDuration, 2> kLine = {
    {{100, 5 * kMillisecond}, {1600, 20 * kMillisecond}}};
constexpr TimeNs kStart = 100 * kSecond;

class RaggedQueueTest : public testing::Test {
 protected:
  void Make(std::int64_t rows_max, std::int64_t work_max) {
    Make(rows_max, work_max, {kLine.begin(), kLine.end()});
  }
  void Make(std::int64_t rows_max, std::int64_t work_max, std::vector<BatchDuration> durations) {
    queue_ = std::make_unique<BatchQueue>(
        session_, BatchQueue::Options{.model = "m",
                                      .limits = {.batchable = true,
                                                 .rows_max = rows_max,
                                                 .ragged = &kThreeRagged,
                                                 .ragged_work_max = work_max},
                                      .durations = std::move(durations)});
    queue_->NoteRun(kStart);
  }
  void TearDown() override {
    for (const auto& entry : entries_) {
      if (static_cast<ListLink<QueueEntry>&>(*entry).linked()) queue_->Remove(*entry);
    }
    EXPECT_EQ(queue_->rows_waiting(), 0);
  }
  Status Ask(std::int64_t length, TimeNs deadline = kNever, std::int64_t rows = 1) {
    auto& entry = entries_.emplace_back(std::make_unique<RaggedEntry>(random_, rows, length));
    entry->deadline = deadline;
    entry->enqueued_at = kStart;
    return queue_->Admit(*entry, {.now = kStart, .servers = 1}, 0.5);
  }
  std::vector<std::int64_t> TakeLengths() {
    queue_->Take(kStart, false, taken_);
    std::vector<std::int64_t> lengths;
    for (const QueueEntry* entry : taken_.batch) {
      lengths.push_back(kThreeRagged.LengthOf(entry->inputs));
    }
    return lengths;
  }

  using Lengths = std::vector<std::int64_t>;
  RandomSource random_{1};
  FakeSession session_{{}, {}, [](auto, auto&) -> Status { return {}; }};
  std::unique_ptr<BatchQueue> queue_;
  std::vector<std::unique_ptr<RaggedEntry>> entries_;
  BatchQueue::Taken taken_;
};

TEST_F(RaggedQueueTest, Batch_IsOfOneLengthWherePaddingDoesNotPay) {
  // Twice the work takes nearly twice the time.
  Make(64, 10'000, {{100, 1000 * kMicrosecond}, {10'000, 100'000 * kMicrosecond}});
  for (const std::int64_t length : {100, 10, 250, 120, 16, 95}) EXPECT_TRUE(Ask(length).ok());
  EXPECT_EQ(TakeLengths(), (Lengths{100, 120, 95})) << "all of them 91 to 128";
  EXPECT_EQ(taken_.work, 3 * 128);
  EXPECT_EQ(taken_.reason, CloseReason::kShape);
  EXPECT_EQ(TakeLengths(), (Lengths{10, 16})) << "the oldest that is left goes first";
  EXPECT_EQ(TakeLengths(), (Lengths{250}));
  EXPECT_EQ(taken_.reason, CloseReason::kIdle);
}

TEST_F(RaggedQueueTest, Batch_TakesOthersInWherePaddingPays) {
  Make(64, 10'000);
  for (const std::int64_t length : {250, 240, 200, 150, 90, 20}) EXPECT_TRUE(Ask(length).ok());
  // A run costs 4 ms for itself and 10 us for each element: padding 90 to 256 costs less.
  EXPECT_EQ(TakeLengths(), (Lengths{250, 240, 200, 150, 90}));
  EXPECT_EQ(taken_.work, 5 * 256);
  EXPECT_EQ(taken_.reason, CloseReason::kShape);
  EXPECT_EQ(TakeLengths(), (Lengths{20})) << "a third of the run would have been padding";
}

TEST_F(RaggedQueueTest, Batch_IsLimitedByItsWorkAndByItsRows) {
  Make(3, 500);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Ask(250).ok());
  EXPECT_EQ(TakeLengths().size(), 1U);
  EXPECT_EQ(taken_.reason, CloseReason::kFull);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(TakeLengths().size(), 1U);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Ask(5).ok());
  EXPECT_EQ(TakeLengths().size(), 3U);
  EXPECT_EQ(taken_.reason, CloseReason::kFull);
  EXPECT_EQ(TakeLengths().size(), 2U);
  EXPECT_TRUE(Ask(5, kNever, 9).ok());
  EXPECT_EQ(TakeLengths().size(), 1U) << "more rows than a batch run alone";
}

TEST_F(RaggedQueueTest, Prediction_FollowsTheLength) {
  Make(64, 10'000);
  const ServiceTime& time = queue_->service_time();
  const auto run = [&time](std::int64_t rows, std::int64_t length) {
    return static_cast<double>(time.Predict(rows * RunLength(length)));
  };
  EXPECT_NEAR(run(4, 256) / run(1, 256), (4 + 10.24) / (4 + 2.56), 0.02);
  EXPECT_NEAR(run(4, 256) / run(4, 64), (4 + 10.24) / (4 + 2.56), 0.02) << "length as rows";
  // The same deadline is enough for a short text and not for a long one.
  const TimeNs deadline = kStart + 10 * kMillisecond;
  EXPECT_TRUE(Ask(32, deadline).ok());
  EXPECT_TRUE(TakeLengths() == Lengths{32});
  EXPECT_EQ(Ask(1000, deadline).code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace penstock
