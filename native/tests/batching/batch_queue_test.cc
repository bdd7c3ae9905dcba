// What leaves a queue, in what order, and why.
#include "batching/batch_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "support/fake_session.h"
#include "support/test_entry.h"

namespace penstock {
namespace {

constexpr TimeNs kStart = 100 * kSecond;
// l(b) = 4 ms + b * 1 ms.
constexpr std::array<BatchDuration, 2> kLine = {{{1, 5 * kMillisecond}, {8, 12 * kMillisecond}}};

class BatchQueueTest : public testing::Test {
 protected:
  void Make(BatchQueue::Options options) {
    options.model = "m";
    options.durations = {kLine.begin(), kLine.end()};
    queue_ = std::make_unique<BatchQueue>(session_, std::move(options));
    queue_->NoteRun(kStart);  // what was learned is trusted
  }
  void TearDown() override {
    for (const auto& entry : entries_) {
      if (static_cast<ListLink<QueueEntry>&>(*entry).linked()) queue_->Remove(*entry);
    }
    EXPECT_TRUE(queue_->empty());
    EXPECT_EQ(queue_->rows_waiting(), 0);
  }
  struct Asked {
    TimeNs deadline = kNever;
    int priority = 4;
    std::int64_t rows = 1;
    std::int64_t columns = 2;
    std::uint64_t client = 0;
    TimeNs free_in = 0;
  };
  Status Ask(const Asked& asked, TimeNs now = kStart) {
    TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
    entry.AddInput(asked.rows, asked.columns, 0);
    entry.deadline = asked.deadline;
    entry.priority = asked.priority;
    entry.client = asked.client;
    entry.enqueued_at = now;
    return queue_->Admit(entry, {.now = now, .free_in = asked.free_in, .servers = 1}, 0.5);
  }
  // Indices of the entries in the batch.
  std::vector<std::size_t> Take(TimeNs now = kStart, bool contended = false) {
    queue_->Take(now, contended, taken_);
    return IndicesOf(taken_.batch);
  }
  std::vector<std::size_t> IndicesOf(std::span<QueueEntry* const> of) const {
    std::vector<std::size_t> indices;
    for (const QueueEntry* entry : of) {
      for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (entries_[i].get() == entry) indices.push_back(i);
      }
    }
    return indices;
  }
  std::int64_t Closed(CloseReason reason) const {
    return queue_->counts().batches[static_cast<std::size_t>(reason)];
  }

  using Indices = std::vector<std::size_t>;
  FakeSession session_{{}, {}, [](auto, auto&) -> Status { return {}; }};
  std::unique_ptr<BatchQueue> queue_;
  std::vector<std::unique_ptr<TestEntry>> entries_;
  BatchQueue::Taken taken_;
};

constexpr BatchLimits kEight = {.batchable = true, .rows_max = 8};

TEST_F(BatchQueueTest, Batch_IsClosedForAReason) {
  Make({.limits = kEight});
  for (int i = 0; i < 11; ++i) EXPECT_TRUE(Ask({}).ok());
  EXPECT_EQ(Take().size(), 8U);
  EXPECT_EQ(taken_.reason, CloseReason::kFull);
  EXPECT_EQ(Take(), (Indices{8, 9, 10}));
  EXPECT_EQ(taken_.reason, CloseReason::kIdle);
  EXPECT_TRUE(Ask({}).ok());
  EXPECT_TRUE(Ask({.columns = 3}).ok());
  EXPECT_EQ(Take(), (Indices{11}));
  EXPECT_EQ(taken_.reason, CloseReason::kShape);
  EXPECT_EQ(Take(), (Indices{12}));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(Ask({.deadline = kStart + 12 * kMillisecond}).ok()) << i;
  EXPECT_EQ(Take(kStart + 3 * kMillisecond).size(), 3U) << "9 ms are left";
  EXPECT_EQ(taken_.reason, CloseReason::kDeadline);
  EXPECT_EQ(Closed(CloseReason::kIdle), 2);
}

TEST_F(BatchQueueTest, UnbatchableModel_RunsOneByOne) {
  Make({});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Ask({}).ok());
  EXPECT_EQ(Take(), (Indices{0}));
  EXPECT_EQ(Take(), (Indices{1}));
}

TEST_F(BatchQueueTest, HigherPriority_GoesFirstAndOthersFillTheBatch) {
  Make({.limits = {.batchable = true, .rows_max = 3}});
  EXPECT_TRUE(Ask({.priority = 8}).ok());
  EXPECT_TRUE(Ask({.priority = 4}).ok());
  EXPECT_TRUE(Ask({.priority = 1}).ok());
  EXPECT_TRUE(Ask({.priority = 4}).ok());
  EXPECT_EQ(Take(), (Indices{2, 1, 3}));
  EXPECT_EQ(taken_.reason, CloseReason::kFull);
  EXPECT_EQ(Take(), (Indices{0}));
}

TEST_F(BatchQueueTest, LowestPriority_HasOneBatchInTwenty) {
  Make({.limits = {.batchable = true, .rows_max = 1}});
  EXPECT_TRUE(Ask({.priority = 8}).ok());
  std::size_t takes = 1;
  while (true) {
    ASSERT_TRUE(Ask({.priority = 1}).ok());
    if (Take() == Indices{0}) break;
    ASSERT_LE(++takes, 20U);
  }
  EXPECT_EQ(takes, 20U);
}

TEST_F(BatchQueueTest, PromiseThatCannotBeKept_IsNotMade) {
  Make({.limits = kEight});
  const Status hopeless = Ask({.deadline = kStart + 5 * kMillisecond});
  EXPECT_EQ(hopeless.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(hopeless.message(),
            "model 'm' is busy: an answer is expected in 6250 us, at most 4500 us of the 5000 us "
            "until the deadline are promised");
  EXPECT_GE(entries_[0]->result.retry_after, kMillisecond);
  // 8 ahead: 12 ms, then 6.25 ms for its own run.
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(Ask({.deadline = kStart + 17 * kMillisecond}).ok());
  EXPECT_FALSE(Ask({.deadline = kStart + 18 * kMillisecond}).ok());
  EXPECT_TRUE(Ask({.deadline = kStart + 30 * kMillisecond}).ok());
  EXPECT_GE(queue_->counts().refused_deadline, 2);
}

// An answer in 30 ms of the 36 that can be promised at most. Eight rows run for 15 ms; where 400
// ask in a tenth of a second they come together in 2 ms, and half a run more is kept back.
TEST_F(BatchQueueTest, CallsOfItsOwnClientThatFillBatchesEarly_KeepMoreBack) {
  constexpr TimeNs kFreeIn = 15 * kMillisecond;
  const auto flood_and_ask = [this](TimeNs deadline) {
    for (int i = 0; i < 400; ++i) {
      EXPECT_EQ(Ask({.deadline = deadline, .free_in = kFreeIn}).ok(), deadline == kNever);
    }
    return Ask({.deadline = kStart + 40 * kMillisecond, .free_in = kFreeIn}).ok();
  };
  constexpr TimeNs kHopeless = kStart + kMillisecond;
  Make({.limits = kEight});
  EXPECT_TRUE(Ask({.deadline = kStart + 40 * kMillisecond, .free_in = kFreeIn}).ok());
  EXPECT_FALSE(flood_and_ask(kHopeless));
  TearDown();
  Make({.limits = kEight});
  EXPECT_TRUE(flood_and_ask(kNever)) << "patient calls do not take its place";
  TearDown();
  Make({.limits = kEight});
  EXPECT_TRUE(Ask({.client = 1, .free_in = kFreeIn}).ok());
  EXPECT_TRUE(flood_and_ask(kHopeless)) << "another client's would";
}

TEST_F(BatchQueueTest, EarlierDeadline_IsNotBehindLaterOnes) {
  Make({.limits = kEight});
  for (int i = 0; i < 80; ++i) EXPECT_TRUE(Ask({.deadline = kStart + kSecond}).ok());
  EXPECT_TRUE(Ask({.deadline = kStart + 20 * kMillisecond}).ok());
  EXPECT_EQ(Take().front(), 80U);
}

TEST_F(BatchQueueTest, DeadlinePassedAtArrival_IsItsOwnError) {
  Make({.limits = kEight});
  EXPECT_EQ(Ask({.deadline = kStart}).code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(queue_->counts().expired, 1);
}

TEST_F(BatchQueueTest, ExpiredAndHopeless_LeaveWithTheirStatus) {
  Make({.limits = kEight});
  EXPECT_TRUE(Ask({.deadline = kStart + 20 * kMillisecond}).ok());
  EXPECT_TRUE(Ask({.deadline = kStart + 30 * kMillisecond}).ok());
  EXPECT_TRUE(Ask({}).ok());
  EXPECT_EQ(Take(kStart + 26 * kMillisecond), (Indices{2}));
  EXPECT_EQ(IndicesOf(taken_.refused), (Indices{0, 1}));
  EXPECT_EQ(entries_[0]->result.status.code(), StatusCode::kDeadlineExceeded);
  EXPECT_EQ(entries_[1]->result.status.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(queue_->counts().expired, 1);
  EXPECT_EQ(queue_->counts().refused_late, 1);
}

// A prediction that refuses everything would never be corrected.
TEST_F(BatchQueueTest, AfterASecondWithoutARun_TheFirstIsTakenAtItsWord) {
  Make({.limits = kEight});
  const TimeNs later = kStart + 2 * kSecond;
  EXPECT_TRUE(Ask({.deadline = later + kMillisecond}, later).ok());
  EXPECT_FALSE(Ask({.deadline = later + kMillisecond}, later).ok()) << "one is enough to learn";
  EXPECT_EQ(Take(later), (Indices{0}));
}

TEST_F(BatchQueueTest, FullQueue_Refuses) {
  Make({.limits = kEight, .size_max = 2});
  EXPECT_TRUE(Ask({}).ok());
  EXPECT_TRUE(Ask({}).ok());
  const Status full = Ask({});
  EXPECT_EQ(full.message(), "model 'm': its queue is full");
  EXPECT_EQ(queue_->counts().refused_full, 1);
}

TEST_F(BatchQueueTest, FullQueue_HasRoomForClientsThatHaveLittle) {
  Make({.limits = kEight, .size_max = 90});
  int taken = 0;
  while (Ask({.client = 1}).ok()) ++taken;
  EXPECT_EQ(taken, 80) << "eight times the room that is left";
  EXPECT_TRUE(Ask({.client = 2}).ok());
  EXPECT_FALSE(Ask({.client = 1}).ok());
}

TEST_F(BatchQueueTest, StandingQueueOfOneClient_CostsTheOthersNothing) {
  Make({.limits = kEight, .delay_target = 10 * kMillisecond});
  TimeNs now = kStart;
  for (int round = 0; round < 30; ++round, now += 12 * kMillisecond) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Ask({.client = 1}, now - 50 * kMillisecond).ok());
    EXPECT_TRUE(Ask({.client = 2}, now).ok());
    Take(now);
    for (const QueueEntry* entry : taken_.refused) EXPECT_EQ(entry->client, 1U);
  }
  EXPECT_LT(queue_->size(), 100) << "it drains";
}

TEST_F(BatchQueueTest, OtherModelsThatWait_MakeBatchesShorter) {
  Make({.limits = kEight});
  for (int i = 0; i < 16; ++i) EXPECT_TRUE(Ask({}).ok());
  // 8 rows in 12 ms; 6 in 10 ms are nine tenths of that, give or take a rounding.
  const std::size_t shorter = Take(kStart, true).size();
  EXPECT_GE(shorter, 6U);
  EXPECT_LE(shorter, 7U);
  EXPECT_EQ(Take(kStart, false).size(), 8U);
}

TEST_F(BatchQueueTest, Delay_HoldsABatchThatIsNotFull) {
  Make({.limits = kEight, .delay_max = 10 * kMillisecond});
  EXPECT_EQ(queue_->ReadyAt(), kNever);
  EXPECT_TRUE(Ask({}).ok());
  EXPECT_TRUE(Ask({}, kStart + kMillisecond).ok());
  EXPECT_EQ(queue_->ReadyAt(), kStart + 10 * kMillisecond);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(Ask({}).ok());
  EXPECT_EQ(queue_->ReadyAt(), 0) << "full";
  Take();
  EXPECT_TRUE(Ask({}).ok());
  Take(kStart + 10 * kMillisecond);
  EXPECT_EQ(taken_.reason, CloseReason::kDelay);
}

TEST_F(BatchQueueTest, StandingQueue_RefusesThoseWithoutDeadline) {
  Make({.limits = kEight, .delay_target = 10 * kMillisecond});
  TimeNs now = kStart;
  for (int round = 0; round < 30; ++round, now += 12 * kMillisecond) {
    for (int i = 0; i < 8; ++i) EXPECT_TRUE(Ask({}, now - 50 * kMillisecond).ok());
    Take(now);
  }
  EXPECT_GT(queue_->counts().refused_delay, 0);
  EXPECT_EQ(taken_.refused.front()->result.status.code(), StatusCode::kResourceExhausted);
}

TEST_F(BatchQueueTest, LongQueue_TakesNobodyWithoutADeadline) {
  Make({.limits = kEight, .wait_max = 24 * kMillisecond});
  // Two full batches of 12 ms.
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(Ask({}).ok());
  ASSERT_TRUE(Ask({}).ok());
  const Status status = Ask({});
  EXPECT_EQ(status.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("max_queue_time_ms"), std::string_view::npos);
  EXPECT_GE(entries_.back()->result.retry_after, 24 * kMillisecond);
  EXPECT_EQ(queue_->counts().refused_delay, 1);
  EXPECT_TRUE(Ask({.deadline = kStart + kSecond}).ok()) << "it says itself how long it waits";
  EXPECT_TRUE(Ask({.priority = 1}).ok()) << "nothing waits before it";
}

}  // namespace
}  // namespace penstock
