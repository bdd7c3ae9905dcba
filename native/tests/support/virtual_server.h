// The real scheduler and admission under a virtual clock: models that take what a law says, one
// thread that runs them, Poisson arrivals from several sources. Runs vary as on a shared machine,
// and each call costs the run under way a little, as it does where loop and runs share a core.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "batching/scheduler.h"
#include "support/fake_session.h"
#include "support/manual_clock.h"
#include "support/test_entry.h"

namespace penstock {

// l(b) = t0 + per_row * b, for up to rows_max rows.
struct ServiceLaw {
  TimeNs t0 = 0;
  TimeNs per_row = 0;
  std::int64_t rows_max = 1;

  TimeNs Duration(std::int64_t rows) const { return t0 + rows * per_row; }
  // Rows a nanosecond, in full batches.
  double Capacity() const {
    return static_cast<double>(rows_max) / static_cast<double>(Duration(rows_max));
  }
};

// Calls of one row that one client sends to one model.
struct VirtualSource {
  std::size_t model = 0;
  std::uint64_t client = 0;
  double rate = 0;           // calls a nanosecond
  TimeNs deadline = kNever;  // from arrival
  // What became of them.
  std::int64_t offered = 0;
  std::int64_t late = 0;
  std::vector<TimeNs> latencies;  // of those in time

  double Goodput() const {
    return static_cast<double>(latencies.size()) / static_cast<double>(offered);
  }
  TimeNs Percentile(double share) {
    std::ranges::sort(latencies);
    const auto rank = static_cast<std::size_t>(share * static_cast<double>(latencies.size()));
    return latencies.empty() ? kNever : latencies[std::min(rank, latencies.size() - 1)];
  }
};

class VirtualServer final {
 public:
  // `drift`: how much its speed changes from run to run, on top of their own variation. A change
  // lasts for some ten runs, as where neighbours come and go; 0.03 makes runs 7 % longer or
  // shorter. `call_cost`: by how much each call that comes makes the run under way longer.
  explicit VirtualServer(const std::vector<ServiceLaw>& laws, double drift = 0,
                         TimeNs call_cost = 3 * kMicrosecond)
      : laws_(laws), drift_(drift), call_cost_(call_cost) {
    for (const ServiceLaw& law : laws) {
      queues_.push_back(std::make_unique<BatchQueue>(session_, OptionsFor(law)));
      scheduler_.Add(*queues_.back());
    }
    clock_.Advance(kSecond);
  }

  // Fills in what became of the sources' calls.
  void Run(std::vector<VirtualSource>& sources, TimeNs duration) {
    const TimeNs end = clock_.Now() + duration;
    std::vector<TimeNs> arrivals;
    for (const VirtualSource& source : sources) arrivals.push_back(NextArrival(source));
    while (clock_.Now() < end) {
      const auto next = std::ranges::min_element(arrivals);
      if (run_ends_ <= *next) {
        clock_.Advance(run_ends_ - clock_.Now());
        EndRun();
      } else {
        clock_.Advance(*next - clock_.Now());
        VirtualSource& source = sources[static_cast<std::size_t>(next - arrivals.begin())];
        Arrive(source);
        *next = NextArrival(source);
      }
      if (run_ends_ == kNever) Begin();
    }
    if (run_ends_ != kNever) EndRun();
    for (const std::unique_ptr<Call>& call : calls_) {
      if (call->linked()) {
        static_cast<void>(scheduler_.Remove(*queues_[call->source->model], *call));
      }
    }
    calls_.clear();
  }

 private:
  struct Call final : TestEntry {
    VirtualSource* source = nullptr;
  };

  static BatchQueue::Options OptionsFor(const ServiceLaw& law) {
    BatchQueue::Options options = {.model = "m",
                                   .limits = {.batchable = true, .rows_max = law.rows_max},
                                   .delay_target = 500 * kMillisecond};
    for (std::int64_t rows = 1; rows <= law.rows_max; rows *= 2) {
      options.durations.emplace_back(rows, law.Duration(rows));
    }
    return options;
  }

  TimeNs NextArrival(const VirtualSource& source) {
    std::exponential_distribution<double> gap(source.rate);
    return clock_.Now() + 1 + static_cast<TimeNs>(gap(random_));
  }

  void Arrive(VirtualSource& source) {
    run_ends_ += run_ends_ == kNever ? 0 : call_cost_;
    ++source.offered;
    auto& call = calls_.emplace_back(std::make_unique<Call>());
    call->source = &source;
    call->client = source.client;
    call->AddInput(1, 1, 0);
    call->enqueued_at = clock_.Now();
    call->deadline = AddSaturated(clock_.Now(), source.deadline);
    EntryList list;
    list.PushBack(*call);
    scheduler_.Enqueue(*queues_[source.model], list);
    if (list.PopFront() != nullptr) calls_.pop_back();
  }

  void Begin() {
    TimeNs wake_at = kNever;
    while (scheduler_.TryNext(clock_.Now(), taken_, wake_at)) {
      if (taken_.batch.empty()) {
        scheduler_.Done(taken_);
        continue;
      }
      began_ = clock_.Now();
      const ServiceLaw& law = laws_[taken_.queue->index()];
      const double noise = std::lognormal_distribution<double>(0, 0.05)(random_) * NextSpeed();
      const auto duration = static_cast<double>(law.Duration(taken_.work));
      run_ends_ = began_ + static_cast<TimeNs>(duration * noise);
      return;
    }
  }

  double NextSpeed() {
    constexpr double kLasts = 0.9;
    if (drift_ == 0) return 1;
    log_speed_ = kLasts * log_speed_ + std::normal_distribution<double>(0, drift_)(random_);
    return std::exp(log_speed_);
  }

  void EndRun() {
    const TimeNs now = clock_.Now();
    for (QueueEntry* entry : taken_.batch) {
      VirtualSource& source = *static_cast<Call*>(entry)->source;
      if (now <= entry->deadline) {
        source.latencies.push_back(now - entry->enqueued_at);
      } else {
        ++source.late;
      }
    }
    taken_.queue->service_time().Observe(taken_.work, now - began_);
    scheduler_.Done(taken_);
    run_ends_ = kNever;
  }

  const std::vector<ServiceLaw> laws_;
  const double drift_;
  const TimeNs call_cost_;
  double log_speed_ = 0;
  std::mt19937_64 random_{1};
  FakeSession session_{{}, {}, [](auto, auto&) -> Status { return {}; }};
  ManualClock clock_;
  std::vector<std::unique_ptr<BatchQueue>> queues_;
  Scheduler scheduler_{clock_, 1};
  std::vector<std::unique_ptr<Call>> calls_;
  Scheduler::Taken taken_;
  TimeNs began_ = 0;
  TimeNs run_ends_ = kNever;
};

}  // namespace penstock
