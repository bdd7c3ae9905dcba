// The real scheduler, queues and admission under a virtual clock: random models, arrivals,
// deadlines, cancels, priorities and clients, with runs that take what a hidden law says and
// sometimes far longer. After every step the promises that hold for any order of events are
// checked; a failure prints its seed, and PENSTOCK_TEST_SEED repeats it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <queue>
#include <random>

#include "batching/scheduler.h"
#include "support/fake_session.h"
#include "support/manual_clock.h"
#include "support/random_source.h"
#include "support/test_entry.h"

namespace penstock {
namespace {

// How one call ended, as its client would see it.
enum class End { kOpen, kAnswered, kRefused, kExpired, kCancelled };

struct Call {
  TestEntry entry;
  std::size_t model = 0;
  bool patient = false;  // its deadline is an hour away
  End end = End::kOpen;
  bool delivered = false;  // nothing of the server's uses it any more
};

struct Model {
  std::unique_ptr<BatchQueue> queue;
  TimeNs t0 = 0;
  TimeNs per_row = 0;
  std::int64_t running = 0;
  double rate = 0;  // arrivals each nanosecond
};

class Simulation final {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed),
        threads_(1 + static_cast<int>(Below(3))),
        scheduler_(clock_, threads_),
        clients_(1 + Below(5)) {
    clock_.Advance(kSecond);
    const std::size_t models = 1 + Below(3);
    for (std::size_t i = 0; i < models; ++i) AddModel();
    for (std::size_t i = 0; i < models; ++i) PlanArrival(i);
  }

  // How many calls ended in each way, by End.
  using Ends = std::array<std::int64_t, 5>;
  void AddTo(Ends& ends) const {
    for (const std::unique_ptr<Call>& call : calls_) ++ends[static_cast<std::size_t>(call->end)];
  }

  void Run() {
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      clock_.Advance(event.at - clock_.Now());
      event.action();
      Dispatch();
      if (testing::Test::HasFailure()) return;
    }
    ExpectRest();
  }

 private:
  struct Event {
    TimeNs at;
    std::uint64_t order;
    std::function<void()> action;
    bool operator<(const Event& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };

  std::size_t Below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  double Exponential(double rate) { return std::exponential_distribution<double>(rate)(random_); }
  void At(TimeNs at, std::function<void()> action) {
    events_.push({std::max(at, clock_.Now()), ++events_made_, std::move(action)});
  }

  void AddModel() {
    Model model;
    model.t0 = static_cast<TimeNs>(Below(10'000)) * kMicrosecond;
    model.per_row = static_cast<TimeNs>(1 + Below(2'000)) * kMicrosecond;
    BatchQueue::Options options = {.model = "m",
                                   .limits = {.batchable = Below(4) != 0,
                                              .rows_max = 1 + static_cast<std::int64_t>(Below(32))},
                                   .instance_count = 1 + static_cast<std::int64_t>(Below(3)),
                                   .size_max = Below(4) == 0 ? 5 : 1000,
                                   .delay_max = Below(4) == 0 ? 5 * kMillisecond : 0,
                                   .delay_target = Below(2) == 0 ? 20 * kMillisecond : 0};
    if (!options.limits.batchable) options.limits.rows_max = 1;
    const std::int64_t most = options.limits.rows_max;
    // What warm-up says is off by up to a half, or nothing at all.
    const double error = 0.5 + static_cast<double>(Below(100)) / 100;
    for (const std::int64_t rows : {std::int64_t{1}, most}) {
      const auto duration = static_cast<double>(model.t0 + rows * model.per_row) * error;
      if (Below(5) != 0) options.durations.emplace_back(rows, static_cast<TimeNs>(duration));
    }
    const double capacity =
        static_cast<double>(most * threads_) / static_cast<double>(model.t0 + most * model.per_row);
    constexpr std::array<double, 5> kLoads = {0.2, 0.8, 1.5, 4, 10};
    model.rate = capacity * kLoads[Below(kLoads.size())] / 3;
    model.queue = std::make_unique<BatchQueue>(session_, std::move(options));
    scheduler_.Add(*model.queue);
    models_.push_back(std::move(model));
  }

  void PlanArrival(std::size_t model) {
    constexpr std::size_t kCalls = 150;
    if (calls_.size() >= kCalls) return;
    At(clock_.Now() + static_cast<TimeNs>(Exponential(models_[model].rate)), [this, model] {
      Arrive(model);
      PlanArrival(model);
    });
  }

  void Arrive(std::size_t model) {
    const TimeNs now = clock_.Now();
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    call.model = model;
    BatchQueue& queue = *models_[model].queue;
    const std::int64_t rows =
        queue.limits().batchable ? 1 + static_cast<std::int64_t>(Below(4)) : 1;
    call.entry.AddInput(rows, 1 + static_cast<std::int64_t>(Below(10) == 0), 0);
    call.entry.enqueued_at = now;
    call.entry.client = Below(clients_);
    call.entry.priority = 1 + static_cast<int>(Below(3)) * 3;
    call.patient = Below(8) == 0;
    if (call.patient) {
      call.entry.deadline = now + 3600 * kSecond;
    } else if (Below(3) != 0) {
      call.entry.deadline = now + static_cast<TimeNs>(1 + Below(200)) * kMillisecond;
      At(call.entry.deadline, [this, &call] { EndByLoop(call, End::kExpired); });
    }
    if (Below(10) == 0) {
      At(now + static_cast<TimeNs>(Below(50)) * kMillisecond,
         [this, &call] { EndByLoop(call, End::kCancelled); });
    }
    EntryList list;
    list.PushBack(call.entry);
    scheduler_.Enqueue(queue, list);
    if (list.PopFront() == nullptr) return;
    EXPECT_FALSE(call.entry.result.status.ok()) << "a refusal has its reason";
    Finish(call, End::kRefused);
    call.delivered = true;
  }

  // The deadline's timer or the peer's reset, on the call's loop.
  void EndByLoop(Call& call, End end) {
    if (call.end != End::kOpen) return;
    Finish(call, end);
    if (scheduler_.Remove(*models_[call.model].queue, call.entry)) call.delivered = true;
  }

  void Finish(Call& call, End end) {
    EXPECT_EQ(call.end, End::kOpen) << "ended twice";
    call.end = end;
  }

  // Whatever threads are free take what there is.
  void Dispatch() {
    while (busy_ < threads_) {
      auto taken = std::make_shared<Scheduler::Taken>();
      TimeNs wake_at = kNever;
      if (!scheduler_.TryNext(clock_.Now(), *taken, wake_at)) {
        if (wake_at != kNever && wake_at > woken_for_) {
          woken_for_ = wake_at;
          At(wake_at, [] {});
        }
        return;
      }
      Start(taken);
    }
  }

  void Start(const std::shared_ptr<Scheduler::Taken>& taken) {
    Model& model = *std::ranges::find_if(models_, [&taken](const Model& candidate) {
      return candidate.queue.get() == taken->queue;
    });
    for (QueueEntry* entry : taken->refused) {
      Call& call = CallOf(*entry);
      EXPECT_FALSE(entry->result.status.ok());
      call.delivered = true;
      EXPECT_FALSE(call.patient) << "given up although there is all the time in the world";
      if (call.end == End::kOpen) Finish(call, End::kRefused);
    }
    CheckBatch(*taken, model);
    ++busy_;
    ++model.running;
    EXPECT_LE(model.running, model.queue->instance_count());
    TimeNs duration = taken->batch.empty() ? 0 : model.t0 + taken->work * model.per_row;
    if (Below(50) == 0) duration *= 20;  // preempted
    At(clock_.Now() + duration, [this, taken, &model, duration] {
      if (!taken->batch.empty()) taken->queue->service_time().Observe(taken->work, duration);
      scheduler_.Done(*taken);
      --busy_;
      --model.running;
      for (QueueEntry* entry : taken->batch) {
        Call& call = CallOf(*entry);
        call.delivered = true;
        if (call.end == End::kOpen) Finish(call, End::kAnswered);
      }
    });
  }

  void CheckBatch(const Scheduler::Taken& taken, const Model& model) {
    std::int64_t rows = 0;
    for (QueueEntry* entry : taken.batch) {
      const Call& call = CallOf(*entry);
      EXPECT_EQ(call.end, End::kOpen) << "expired or cancelled, and taken all the same";
      EXPECT_GT(entry->deadline, clock_.Now());
      EXPECT_TRUE(SameRowShape(taken.batch.front()->inputs, entry->inputs));
      rows += entry->rows;
    }
    EXPECT_EQ(rows, taken.work);
    if (taken.batch.size() > 1) {
      EXPECT_TRUE(model.queue->limits().batchable);
      EXPECT_LE(rows, model.queue->limits().rows_max);
    }
  }

  Call& CallOf(QueueEntry& entry) {
    return **std::ranges::find_if(
        calls_, [&entry](const std::unique_ptr<Call>& call) { return &call->entry == &entry; });
  }

  // Nothing more will happen: nobody waits, nothing is held.
  void ExpectRest() {
    EXPECT_EQ(busy_, 0);
    for (const std::unique_ptr<Call>& call : calls_) {
      EXPECT_NE(call->end, End::kOpen) << "forgotten";
      EXPECT_TRUE(call->delivered);
    }
    for (const Model& model : models_) {
      EXPECT_TRUE(model.queue->empty());
      EXPECT_EQ(model.queue->rows_waiting(), 0);
      EXPECT_EQ(scheduler_.Look(*model.queue).running, 0);
    }
  }

  std::mt19937_64 random_;
  FakeSession session_{{}, {}, [](auto, auto&) -> Status { return {}; }};
  ManualClock clock_;
  const int threads_;
  std::vector<Model> models_;
  Scheduler scheduler_;
  const std::size_t clients_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::priority_queue<Event> events_;
  std::uint64_t events_made_ = 0;
  TimeNs woken_for_ = 0;
  int busy_ = 0;
};

std::uint64_t SeedsInAll() {
  const char* text = std::getenv("PENSTOCK_SIMULATOR_SEEDS");
  return text != nullptr && *text != '\0' ? std::strtoull(text, nullptr, 10) : 10'000;
}

TEST(SimulatorTest, RandomLoads_KeepEveryPromise) {
  const std::uint64_t first = RandomSource::Seed(1);
  Simulation::Ends ends{};
  for (std::uint64_t seed = first; seed < first + SeedsInAll(); ++seed) {
    Simulation simulation(seed);
    simulation.Run();
    ASSERT_FALSE(HasFailure()) << "PENSTOCK_TEST_SEED=" << seed;
    simulation.AddTo(ends);
  }
  // Or the simulation would prove nothing.
  std::int64_t calls = 0;
  for (const std::int64_t count : ends) calls += count;
  for (const End end : {End::kAnswered, End::kRefused, End::kExpired, End::kCancelled}) {
    EXPECT_GT(ends[static_cast<std::size_t>(end)], calls / 200) << static_cast<int>(end);
  }
}

}  // namespace
}  // namespace penstock
