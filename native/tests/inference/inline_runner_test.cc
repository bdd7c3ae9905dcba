// What a loop runs itself in a turn, and what it hands over, on a clock that only runs move.
#include "inference/inline_runner.h"

#include <gtest/gtest.h>

#include "batching/batch_worker.h"
#include "support/fake_model.h"
#include "support/test_entry.h"

namespace penstock {
namespace {

class Home final : public Mailbox {
 public:
  void Wake() override {}
  void Deliver() { DeliverAll(); }
};

class InlineRunnerTest : public testing::Test {
 protected:
  // Models [-1,2] -> [-1,2] by their order; all before Start.
  void AddModel(TimeNs base, TimeNs per_row, std::int64_t max_batch_size,
                WarmupConfig::Execution execution, std::int64_t queue_size_max = 100) {
    auto session = std::make_unique<FakeSession>(std::vector<TensorSpec>{FloatSpec("x", {-1, 2})},
                                                 std::vector<TensorSpec>{FloatSpec("y", {-1, 2})},
                                                 EchoAll(clock_, base, per_row));
    sessions_.push_back(session.get());
    models_.Add(MakeModel({.name = "m" + std::to_string(sessions_.size()),
                           .warmup = {.max_batch_size = max_batch_size, .execution = execution},
                           .queue_size_max = queue_size_max},
                          std::move(session), clock_));
  }
  void Start() {
    for (const auto& model : models_.versions()) scheduler_.Add(model->queue());
    runner_ = std::make_unique<InlineRunner>(InlineRunner::Resources{.models = models_,
                                                                     .scheduler = scheduler_,
                                                                     .clock = clock_,
                                                                     .watchdog = watchdog_,
                                                                     .logger = logger_,
                                                                     .cells = cells_});
    for (const FakeSession* session : sessions_) runs_before_.push_back(session->runs());
  }
  TestEntry& Enqueue(std::size_t model, std::int64_t rows = 1, TimeNs deadline = kNever) {
    TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
    entry.home = &home_;
    entry.AddInput(rows, 2, static_cast<float>(10 * entries_.size()));
    entry.deadline = deadline;
    models_of_entries_.push_back(models_.versions()[model].get());
    runner_->Enqueue(*models_.versions()[model], entry);
    return entry;
  }
  // The end of a turn that has taken so long.
  void RunTurn(TimeNs so_far = 0) { runner_->RunTurn(clock_.Now() - so_far); }
  std::int64_t Runs(std::size_t model) { return sessions_[model]->runs() - runs_before_[model]; }
  // What a loop's end does with all that is still waiting.
  std::int64_t RemoveHandedOver() {
    std::int64_t removed = 0;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const TestEntry& entry = *entries_[i];
      if (!entry.handed_over || entry.deliveries > 0) continue;
      removed += runner_->Remove(*models_of_entries_[i], *entries_[i]) ? 1 : 0;
    }
    return removed;
  }
  std::int64_t Delivered() const {
    std::int64_t sum = 0;
    for (const auto& entry : entries_) sum += entry->deliveries;
    return sum;
  }

  // A model that takes what `cost_` says, and decides by itself where it runs.
  void AddChangingModel() {
    cost_ = 5 * kMicrosecond;
    auto session = std::make_unique<FakeSession>(
        std::vector<TensorSpec>{FloatSpec("x", {-1, 2})},
        std::vector<TensorSpec>{FloatSpec("y", {-1, 2})},
        [this](std::span<const TensorView> inputs, FakeOutputs& outputs) {
          clock_.Advance(cost_);
          outputs.Add(inputs[0].dtype, inputs[0].shape, inputs[0].data);
          return Status();
        });
    sessions_.push_back(session.get());
    models_.Add(MakeModel({.name = "changing", .warmup = {.max_batch_size = 8}}, std::move(session),
                          clock_));
  }
  // What a compute thread does with all that was handed over.
  void RunPool() {
    BatchWorker worker(scheduler_, clock_, watchdog_);
    while (scheduler_.Look(models_.versions()[0]->queue()).waiting > 0) worker.WorkOnce();
    home_.Deliver();
  }
  // A turn with one request; whether the loop ran it.
  bool RunsOnLoop() {
    const std::int64_t before = cells_.Get(metrics::Counter::kRequestsInline);
    Enqueue(0);
    RunTurn();
    RunPool();
    return cells_.Get(metrics::Counter::kRequestsInline) > before;
  }

  TimeNs cost_ = 0;
  static constexpr auto kInline = WarmupConfig::Execution::kInline;
  static constexpr auto kPool = WarmupConfig::Execution::kPool;
  Home home_;
  ManualClock clock_;
  ModelTable models_;
  std::vector<FakeSession*> sessions_;
  std::vector<const ModelVersion*> models_of_entries_;
  std::vector<std::int64_t> runs_before_;
  Scheduler scheduler_{clock_, 1};
  Logger logger_{{.severity_min = LogSeverity::kError}};
  Watchdog watchdog_{clock_, logger_};
  metrics::Cells cells_;
  std::unique_ptr<InlineRunner> runner_;
  std::vector<std::unique_ptr<TestEntry>> entries_;
};

TEST_F(InlineRunnerTest, WhatATurnBrought_RunsTogetherAtItsEnd) {
  AddModel(5 * kMicrosecond, 100, 8, kInline);
  Start();
  for (int i = 0; i < 3; ++i) Enqueue(0);
  EXPECT_EQ(Delivered(), 0);
  RunTurn();
  EXPECT_EQ(Runs(0), 1);
  for (const auto& entry : entries_) {
    ASSERT_EQ(entry->deliveries, 1);
    EXPECT_EQ(entry->result.batch_rows, 3);
    EXPECT_FALSE(entry->handed_over);
  }
  EXPECT_EQ(entries_[2]->Output(0), (std::vector<float>{30, 31}));
  EXPECT_EQ(cells_.Get(metrics::Counter::kRequestsInline), 3);
  RunTurn();
  EXPECT_EQ(Delivered(), 3) << "nothing is run again";
}

TEST_F(InlineRunnerTest, Budget_EndsATurnAndTheRestIsHandedOver) {
  AddModel(100 * kMicrosecond, 0, 1, kInline);
  Start();
  for (int i = 0; i < 5; ++i) Enqueue(0);
  RunTurn();
  EXPECT_EQ(Runs(0), 2) << "250 us hold two runs of 100 us";
  EXPECT_EQ(Delivered(), 2);
  EXPECT_EQ(RemoveHandedOver(), 3);
}

TEST_F(InlineRunnerTest, Budget_IsSharedByAllModels) {
  AddModel(100 * kMicrosecond, 0, 1, kInline);
  AddModel(100 * kMicrosecond, 0, 1, kInline);
  Start();
  for (int i = 0; i < 2; ++i) Enqueue(0);
  for (int i = 0; i < 2; ++i) Enqueue(1);
  RunTurn();
  EXPECT_EQ(Runs(0) + Runs(1), 2);
  EXPECT_EQ(RemoveHandedOver(), 2);
}

TEST_F(InlineRunnerTest, Budget_BoundsTheRowsOfABatch) {
  AddModel(10 * kMicrosecond, 10 * kMicrosecond, 64, kInline);
  Start();
  for (int i = 0; i < 64; ++i) Enqueue(0);
  const TimeNs before = clock_.Now();
  RunTurn();
  EXPECT_LE(clock_.Now() - before, kInlineBudget);
  EXPECT_GE(Delivered(), 20) << "the budget is used";
  RemoveHandedOver();
}

TEST_F(InlineRunnerTest, SlowModelAskedForInline_RunsOneBatchATurn) {
  AddModel(kMillisecond, 0, 1, kInline);
  Start();
  for (int i = 0; i < 3; ++i) Enqueue(0);
  RunTurn();
  EXPECT_EQ(Runs(0), 1);
  EXPECT_EQ(RemoveHandedOver(), 2);
}

TEST_F(InlineRunnerTest, Budget_GrowsWithWhatTheTurnHasTaken) {
  AddModel(100 * kMicrosecond, 0, 1, kInline);
  Start();
  for (int i = 0; i < 12; ++i) Enqueue(0);
  RunTurn(kMillisecond);
  EXPECT_EQ(Runs(0), 10);
  EXPECT_EQ(RemoveHandedOver(), 2);
}

TEST_F(InlineRunnerTest, ModelThatTurnsSlow_LeavesTheLoopAndComesBack) {
  AddChangingModel();
  Start();
  ASSERT_TRUE(RunsOnLoop());
  cost_ = 5 * kMillisecond;
  int slow_turns = 0;
  while (RunsOnLoop() && slow_turns < 100) ++slow_turns;
  EXPECT_LT(slow_turns, 40);
  EXPECT_EQ(models_.versions()[0]->Counts().left_loop, 1);

  // As slow as it is, it stays away, however long.
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(kSecond);
    ASSERT_FALSE(RunsOnLoop());
  }
  // Fast again: not at once, but before long, and then for good.
  cost_ = 5 * kMicrosecond;
  int pool_turns = 0;
  for (; !RunsOnLoop() && pool_turns < 1000; ++pool_turns) clock_.Advance(kMillisecond);
  EXPECT_LT(pool_turns, 1000);
  EXPECT_GT(pool_turns, 16);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(RunsOnLoop());
  EXPECT_EQ(models_.versions()[0]->Counts().left_loop, 1);
}

TEST_F(InlineRunnerTest, ModelThatLeft_StaysAwayForASecond) {
  AddChangingModel();
  Start();
  cost_ = 5 * kMillisecond;
  for (int i = 0; i < 100 && RunsOnLoop(); ++i) {
  }
  const TimeNs left_at = clock_.Now();
  cost_ = kMicrosecond;
  while (!RunsOnLoop()) {
    clock_.Advance(kMillisecond);
    ASSERT_LT(clock_.Now(), left_at + 2 * kPoolStay);
  }
  EXPECT_GE(clock_.Now(), left_at + kPoolStay - 10 * kMillisecond);
}

// The stages of a call are told apart by these times.
TEST_F(InlineRunnerTest, Times_FollowEachOther) {
  AddModel(100 * kMicrosecond, 0, 1, kInline);
  Start();
  for (int i = 0; i < 3; ++i) Enqueue(0);
  const TimeNs before = clock_.Now();
  const TimeNs ended = runner_->RunTurn(before);
  EXPECT_EQ(ended, clock_.Now());
  EXPECT_EQ(entries_[0]->result.started_at, before);
  EXPECT_EQ(entries_[0]->result.ended_at, before + 100 * kMicrosecond);
  EXPECT_EQ(entries_[1]->result.started_at, entries_[0]->result.ended_at);
  for (const auto& entry : entries_) EXPECT_EQ(entry->queued_at, before) << "handed over or not";
  EXPECT_EQ(models_.versions()[0]->queue().cpu_time(), 200 * kMicrosecond) << "two runs in a turn";
  EXPECT_EQ(runner_->RunTurn(clock_.Now()), 0) << "nothing to do";
  EXPECT_EQ(RemoveHandedOver(), 1);
}

// Compute threads that starve beside a busy loop must not make the model seem slow.
TEST_F(InlineRunnerTest, SlowRunsInThePool_DoNotDriveAModelFromItsLoop) {
  AddChangingModel();
  Start();
  for (int turn = 0; turn < 200; ++turn) {
    for (int i = 0; i < 500; ++i) Enqueue(0);
    cost_ = 5 * kMicrosecond;
    RunTurn();
    ASSERT_GT(scheduler_.Look(models_.versions()[0]->queue()).waiting, 0) << "too few for a turn";
    cost_ = 20 * kMillisecond;
    RunPool();
    entries_.clear();
    models_of_entries_.clear();
  }
  cost_ = 5 * kMicrosecond;
  EXPECT_TRUE(RunsOnLoop());
  EXPECT_EQ(models_.versions()[0]->Counts().left_loop, 0);
}

TEST_F(InlineRunnerTest, PoolModel_IsHandedOverWhole) {
  AddModel(kMicrosecond, 0, 8, kPool);
  Start();
  for (int i = 0; i < 3; ++i) Enqueue(0);
  RunTurn();
  EXPECT_EQ(Runs(0), 0);
  EXPECT_EQ(Delivered(), 0);
  Scheduler::Taken taken;
  scheduler_.Next(taken);
  EXPECT_EQ(taken.batch.size(), 3U);
  EXPECT_FALSE(runner_->Remove(*models_.versions()[0], *entries_[0])) << "taken: it will come";
}

TEST_F(InlineRunnerTest, FullQueue_IsSaidAtOnce) {
  AddModel(kMicrosecond, 0, 8, kPool, /*queue_size_max=*/2);
  Start();
  for (int i = 0; i < 3; ++i) Enqueue(0);
  RunTurn();
  EXPECT_EQ(Delivered(), 1);
  EXPECT_EQ(entries_[2]->result.status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(entries_[2]->result.status.message(), "model 'm1': its queue is full");
  EXPECT_EQ(RemoveHandedOver(), 2);
}

TEST_F(InlineRunnerTest, Outcome_TellsWhatTheTurnBrought) {
  AddModel(5 * kMicrosecond, 0, 8, kInline);
  AddModel(kMillisecond, 0, 8, kPool, /*queue_size_max=*/2);
  Start();
  Enqueue(0);
  RunTurn();
  TurnOutcome turn = runner_->TakeOutcome();
  EXPECT_TRUE(turn.ran);
  EXPECT_FALSE(turn.refused);
  EXPECT_EQ(turn.busy_for, 0);
  for (int i = 0; i < 3; ++i) Enqueue(1);
  RunTurn();
  turn = runner_->TakeOutcome();
  EXPECT_FALSE(turn.ran);
  EXPECT_TRUE(turn.refused);
  EXPECT_EQ(turn.busy_for, 0) << "a compute thread is free";
  Scheduler::Taken taken;
  scheduler_.Next(taken);
  Enqueue(1);
  RunTurn();
  turn = runner_->TakeOutcome();
  EXPECT_FALSE(turn.refused);
  EXPECT_EQ(turn.busy_for, kMillisecond);
  EXPECT_EQ(RemoveHandedOver(), 1);
}

TEST_F(InlineRunnerTest, ExpiredEntry_IsNotRun) {
  AddModel(5 * kMicrosecond, 0, 1, kInline);
  Start();
  Enqueue(0, 1, clock_.Now());
  Enqueue(0);
  RunTurn();
  EXPECT_EQ(Runs(0), 1);
  EXPECT_EQ(entries_[0]->result.status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(entries_[0]->deliveries, 1);
  EXPECT_TRUE(entries_[1]->result.status.ok());
}

// Runs take time: what expires while those before it run is not run either.
TEST_F(InlineRunnerTest, DeadlineThatPassesDuringTheTurn_IsSeen) {
  AddModel(100 * kMicrosecond, 0, 1, kInline);
  Start();
  Enqueue(0);
  Enqueue(0, 1, clock_.Now() + 50 * kMicrosecond);
  RunTurn();
  EXPECT_EQ(Runs(0), 1);
  EXPECT_EQ(entries_[1]->result.status.code(), StatusCode::kDeadlineExceeded);
}

TEST_F(InlineRunnerTest, RemovedBeforeTheTurnEnds_IsNeverDelivered) {
  AddModel(5 * kMicrosecond, 0, 8, kInline);
  Start();
  TestEntry& entry = Enqueue(0);
  EXPECT_TRUE(runner_->Remove(*models_.versions()[0], entry));
  RunTurn();
  EXPECT_EQ(entry.deliveries, 0);
  EXPECT_EQ(Runs(0), 0);
  // The model's slot was touched; the next entry must not be forgotten for it.
  Enqueue(0);
  Enqueue(0);
  RunTurn();
  EXPECT_EQ(Delivered(), 2);
}

TEST_F(InlineRunnerTest, RequestLargerThanTheBatch_RunsAlone) {
  AddModel(5 * kMicrosecond, 0, 4, kInline);
  Start();
  Enqueue(0, 3);
  Enqueue(0, 3);
  Enqueue(0, 1);
  RunTurn();
  EXPECT_EQ(Runs(0), 2);
  EXPECT_EQ(entries_[0]->result.batch_rows, 4) << "the third one fits beside the first";
  EXPECT_EQ(entries_[1]->Output(0).size(), 6U);
}

}  // namespace
}  // namespace penstock
