// Whose turn it is, who may still be removed, and many threads at once.
#include "batching/scheduler.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>

#include "batching/batch_worker.h"
#include "support/fake_session.h"
#include "support/manual_clock.h"
#include "support/random_source.h"
#include "support/test_entry.h"

namespace penstock {
namespace {

FakeSession EchoSession() {
  const TensorSpec spec = {
      .name = "x", .dtype = DataType::kFp32, .shape = {-1, 2}, .first_dim_symbolic = true};
  return FakeSession({spec}, {spec},
                     [](std::span<const TensorView> inputs, FakeOutputs& outputs) -> Status {
                       outputs.Add(DataType::kFp32, inputs[0].shape, inputs[0].data);
                       return {};
                     });
}

class SchedulerTest : public testing::Test {
 protected:
  BatchQueue& AddQueue(BatchQueue::Options options) {
    BatchQueue& queue =
        *queues_.emplace_back(std::make_unique<BatchQueue>(session_, std::move(options)));
    scheduler_.Add(queue);
    return queue;
  }
  TestEntry& Enqueue(BatchQueue& queue, TimeNs enqueued_at, TimeNs deadline = kNever) {
    TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
    entry.AddInput(1, 2, 0);
    entry.enqueued_at = enqueued_at;
    entry.deadline = deadline;
    EntryList list;
    list.PushBack(entry);
    outlook_ = scheduler_.Enqueue(queue, list);
    refused_ = !list.empty();
    list.PopFront();
    return entry;
  }

  ManualClock clock_;
  FakeSession session_ = EchoSession();
  Scheduler scheduler_{clock_, 2};
  std::vector<std::unique_ptr<BatchQueue>> queues_;
  std::vector<std::unique_ptr<TestEntry>> entries_;
  bool refused_ = false;        // the last one enqueued
  Scheduler::Outlook outlook_;  // as it was told
};

TEST_F(SchedulerTest, TryBegin_TakesAFreeInstanceUnlessSomebodyWaits) {
  BatchQueue& queue = AddQueue({.instance_count = 1});
  TestEntry own;
  own.AddInput(1, 2, 0);
  Scheduler::Taken taken;
  Scheduler::Taken second;
  ASSERT_TRUE(scheduler_.TryBegin(queue, own, taken));
  EXPECT_EQ(taken.batch, std::vector<QueueEntry*>{&own});
  EXPECT_FALSE(scheduler_.TryBegin(queue, own, second)) << "the only instance is taken";
  scheduler_.Done(taken);
  ASSERT_TRUE(scheduler_.TryBegin(queue, own, taken));
  scheduler_.Done(taken);
  TestEntry& waiting = Enqueue(queue, 1);
  EXPECT_FALSE(scheduler_.TryBegin(queue, own, second)) << "another was there before";
  EXPECT_TRUE(scheduler_.Remove(queue, waiting));
  scheduler_.Close();
  EXPECT_FALSE(scheduler_.TryBegin(queue, own, second));
}

TEST_F(SchedulerTest, Enqueue_TellsWhetherTheNextBatchHasRoom) {
  BatchQueue& queue = AddQueue({.limits = {.batchable = true, .rows_max = 2}});
  TestEntry& first = Enqueue(queue, 1);
  EXPECT_TRUE(outlook_.room_left);
  TestEntry& second = Enqueue(queue, 1);
  EXPECT_FALSE(outlook_.room_left);
  for (TestEntry* entry : {&first, &second}) EXPECT_TRUE(scheduler_.Remove(queue, *entry));
}

TEST_F(SchedulerTest, Enqueue_TellsWhenTheFirstOfBusyThreadsIsFree) {
  BatchQueue& slow = AddQueue({.instance_count = 1, .durations = {{1, 30 * kMillisecond}}});
  BatchQueue& fast = AddQueue({.instance_count = 1, .durations = {{1, 10 * kMillisecond}}});
  clock_.Advance(kSecond);
  std::array<Scheduler::Taken, 2> taken;
  TimeNs wake_at = kNever;
  Enqueue(slow, clock_.Now());
  ASSERT_TRUE(scheduler_.TryNext(clock_.Now(), taken[0], wake_at));
  TestEntry& behind = Enqueue(slow, clock_.Now());
  EXPECT_EQ(outlook_.busy_for, 0) << "it waits for the only instance, but a thread is free";
  Enqueue(fast, clock_.Now());
  ASSERT_TRUE(scheduler_.TryNext(clock_.Now(), taken[1], wake_at));
  clock_.Advance(4 * kMillisecond);
  TestEntry& last = Enqueue(slow, clock_.Now());
  EXPECT_EQ(outlook_.busy_for, 6 * kMillisecond) << "the thread of the fast model";
  clock_.Advance(kSecond);
  TestEntry& later = Enqueue(slow, clock_.Now());
  EXPECT_EQ(outlook_.busy_for, 1) << "overdue: any moment";
  for (const Scheduler::Taken& each : taken) scheduler_.Done(each);
  for (TestEntry* entry : {&behind, &last, &later}) {
    EXPECT_TRUE(scheduler_.Remove(slow, *entry));
  }
}

TEST_F(SchedulerTest, Close_RefusesNewAndLeavesWhatWaitsToTakeAll) {
  BatchQueue& queue = AddQueue({});
  TestEntry& waiting = Enqueue(queue, 1);
  scheduler_.Close();
  std::vector<QueueEntry*> left;
  scheduler_.TakeAll(left);
  EXPECT_EQ(left, std::vector<QueueEntry*>{&waiting});
  EXPECT_FALSE(scheduler_.Remove(queue, waiting)) << "it is the taker's";
  const TestEntry& late = Enqueue(queue, 2);
  EXPECT_TRUE(refused_);
  EXPECT_EQ(late.result.status.code(), StatusCode::kUnavailable);
}

TEST_F(SchedulerTest, Next_TakesTheQueueThatHadTheLeastComputeTime) {
  BatchQueue& a = AddQueue({.limits = {.batchable = true, .rows_max = 2}, .instance_count = 9});
  BatchQueue& b = AddQueue({.limits = {.batchable = true, .rows_max = 2}, .instance_count = 9});
  for (int i = 0; i < 8; ++i) Enqueue(a, i);
  for (int i = 0; i < 4; ++i) Enqueue(b, i);
  // A run of a takes 30, one of b 10: three of b for each of a.
  std::vector<BatchQueue*> order;
  Scheduler::Taken taken;
  for (int i = 0; i < 6; ++i) {
    scheduler_.Next(taken);
    EXPECT_EQ(taken.batch.size(), 2U);
    order.push_back(taken.queue);
    clock_.Advance(taken.queue == &a ? 30 : 10);
    scheduler_.Done(taken);
  }
  EXPECT_EQ(order, (std::vector<BatchQueue*>{&a, &b, &b, &a, &a, &a}));
}

TEST_F(SchedulerTest, InstanceCount_BoundsWhatRunsAtOnce) {
  BatchQueue& a = AddQueue({.instance_count = 1});
  BatchQueue& b = AddQueue({.instance_count = 1});
  Enqueue(a, 1);
  Enqueue(a, 2);
  Enqueue(b, 3);
  Scheduler::Taken of_a, taken;
  scheduler_.Next(of_a);
  EXPECT_EQ(of_a.queue, &a);
  scheduler_.Next(taken);
  EXPECT_EQ(taken.queue, &b) << "a has no instance left";
  scheduler_.Done(of_a);
  scheduler_.Next(taken);
  EXPECT_EQ(taken.queue, &a);
  EXPECT_EQ(taken.batch.front(), entries_[1].get());
}

TEST_F(SchedulerTest, FullQueue_RefusesAndTakingMakesRoom) {
  BatchQueue& queue = AddQueue({.instance_count = 9, .size_max = 2});
  Enqueue(queue, 1);
  Enqueue(queue, 2);
  EXPECT_FALSE(refused_);
  Enqueue(queue, 3);
  EXPECT_TRUE(refused_);
  EXPECT_TRUE(scheduler_.Remove(queue, *entries_[0]));
  Enqueue(queue, 4);
  EXPECT_FALSE(refused_) << "a removed entry made room";
  Scheduler::Taken taken;
  scheduler_.Next(taken);
  EXPECT_EQ(taken.batch.front(), entries_[1].get());
  Enqueue(queue, 5);
  EXPECT_FALSE(refused_) << "a taken entry made room";
  scheduler_.Remove(queue, *entries_[3]);
  scheduler_.Remove(queue, *entries_[4]);
}

TEST_F(SchedulerTest, Remove_IsTrueOnlyWhileItWaits) {
  BatchQueue& queue = AddQueue({.instance_count = 9});
  TestEntry& entry = Enqueue(queue, 1);
  TestEntry& other = Enqueue(queue, 2);
  EXPECT_TRUE(scheduler_.Remove(queue, other));
  Scheduler::Taken taken;
  scheduler_.Next(taken);
  EXPECT_FALSE(scheduler_.Remove(queue, entry));
}

// The deadline's timer and the taking thread find an entry at the same moment: only one may have
// it. An expired entry that was taken will be delivered, so it cannot be removed any more.
TEST_F(SchedulerTest, RemoveOfTakenExpired_IsFalse) {
  BatchQueue& queue = AddQueue({.instance_count = 9, .size_max = 1});
  TestEntry& entry = Enqueue(queue, 1, /*deadline=*/clock_.Now() + 1);
  clock_.Advance(1);
  Scheduler::Taken taken;
  scheduler_.Next(taken);
  EXPECT_TRUE(taken.batch.empty());
  EXPECT_FALSE(scheduler_.Remove(queue, entry));
  Enqueue(queue, 2);
  EXPECT_FALSE(refused_);
  Enqueue(queue, 3);
  EXPECT_TRUE(refused_) << "the expired entry was counted out once, not twice";
  EXPECT_TRUE(scheduler_.Remove(queue, *entries_[1]));
}

TEST_F(SchedulerTest, Close_EndsNextAndLeavesWhatWaits) {
  BatchQueue& queue = AddQueue({});
  TestEntry& entry = Enqueue(queue, 1);
  scheduler_.Close();
  Scheduler::Taken taken;
  scheduler_.Next(taken);
  EXPECT_EQ(taken.queue, nullptr);
  EXPECT_TRUE(scheduler_.Remove(queue, entry));
}

TEST_F(SchedulerTest, Close_WakesThreadsThatWait) {
  AddQueue({});
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([this] {
      Scheduler::Taken taken;
      scheduler_.Next(taken);
      EXPECT_EQ(taken.queue, nullptr);
    });
  }
  scheduler_.Close();
}

// One loop's side: enqueues, removes at random, counts what ends.
class TestLoop final : public Mailbox {
 public:
  using Mailbox::DeliverAll;
  void Wake() override { wake_.release(); }
  void Wait() { wake_.acquire(); }

 private:
  std::counting_semaphore<> wake_{0};
};

// Each entry ends exactly once: removed by its loop or delivered to it.
void UseScheduler(Scheduler& scheduler, std::span<BatchQueue* const> queues, const Clock& clock,
                  std::uint64_t seed) {
  RandomSource random(seed);
  TestLoop loop;
  std::deque<std::unique_ptr<TestEntry>> entries;
  struct Open {
    TestEntry* entry;
    BatchQueue* queue;
  };
  std::deque<Open> open;
  const auto finish_front = [&] {
    const Open front = open.front();
    const bool removed = front.entry->deliveries == 0 && random.OneIn(2) &&
                         scheduler.Remove(*front.queue, *front.entry);
    while (!removed && front.entry->deliveries == 0) {
      loop.Wait();
      loop.DeliverAll();
    }
    ASSERT_EQ(front.entry->deliveries, removed ? 0 : 1);
    open.pop_front();
    entries.pop_front();
  };
  for (int i = 0; i < 10'000; ++i) {
    TestEntry& entry = *entries.emplace_back(std::make_unique<TestEntry>());
    entry.AddInput(static_cast<std::int64_t>(1 + random.Below(3)), 2, static_cast<float>(i));
    entry.enqueued_at = clock.Now();
    entry.home = &loop;
    if (random.OneIn(2)) entry.deadline = clock.Now() + static_cast<TimeNs>(random.Below(60'000));
    BatchQueue* queue = queues[random.Below(queues.size())];
    open.push_back({&entry, queue});
    EntryList list;
    list.PushBack(entry);
    scheduler.Enqueue(*queue, list);
    if (list.PopFront() != nullptr) entry.deliveries = 1;  // refused
    if (random.OneIn(4)) loop.DeliverAll();
    while (open.size() > 8) finish_front();
  }
  while (!open.empty()) finish_front();
}

TEST(SchedulerThreadsTest, RandomRemovesAndDeadlines_EachEntryEndsOnce) {
  const std::uint64_t seed = RandomSource::Seed(11);
  SCOPED_TRACE(seed);
  const SteadyClock clock;
  FakeSession session = EchoSession();
  Scheduler scheduler(clock, 2);
  BatchQueue a(session, {.limits = {.batchable = true, .rows_max = 8}, .instance_count = 2});
  BatchQueue b(session, {.instance_count = 1, .size_max = 4});
  scheduler.Add(a);
  scheduler.Add(b);
  const std::array<BatchQueue*, 2> queues = {&a, &b};
  Logger logger({.severity_min = LogSeverity::kError});
  Watchdog watchdog(clock, logger);
  watchdog.Start();
  std::vector<std::jthread> workers;
  for (int i = 0; i < 2; ++i) {
    workers.emplace_back([&scheduler, &clock, &watchdog] {
      BatchWorker worker(scheduler, clock, watchdog);
      while (worker.WorkOnce()) {
      }
    });
  }
  {
    std::vector<std::jthread> loops;
    for (std::uint64_t i = 0; i < 2; ++i) {
      loops.emplace_back([&, i] { UseScheduler(scheduler, queues, clock, seed + i); });
    }
  }
  scheduler.Close();
}

}  // namespace
}  // namespace penstock
