// The phases of a run and what it reports; engine.cc has its turns, calls and connections.
#include <algorithm>
#include <ctime>
#include <utility>

#include "base/strings.h"
#include "load/engine.h"

namespace penstock::load {
namespace {

// Sleeping is exact to two or three milliseconds only (the wheel's tick, epoll's unit, the
// scheduler); a call due sooner is waited for on the clock.
constexpr TimeNs kSpinWindow = 4 * kMillisecond;
constexpr TimeNs kCheckInterval = 50 * kMillisecond;

TimeNs FromSeconds(double seconds) {
  return static_cast<TimeNs>(seconds * 1e9);
}
double ToSeconds(TimeNs time) {
  return static_cast<double>(time) / 1e9;
}

TimeNs ThreadCpu() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<TimeNs>(used.tv_sec) * kSecond + used.tv_nsec;
}

// The even rate before the schedule: what it begins with, or half of what it climbs to.
std::vector<RateSegment> WarmUp(const LoadOptions& options) {
  const RateSegment& first = options.segments.front();
  const double rate = first.rate_start > 0 ? first.rate_start : std::max(first.rate_end / 2, 1.0);
  return {{.duration_s = options.warmup_s, .rate_start = rate, .rate_end = rate}};
}

}  // namespace

// ---- phases ----

void Engine::Begin() {
  begun_at_ = last_progress_ = Now();
  next_check_ = begun_at_ + kCheckInterval;
  for (Slot& slot : slots_) Open(slot);
  PlanWake(begun_at_);
}

void Engine::AdvancePhase(TimeNs now) {
  if (phase_ == Phase::kConnecting) {
    if (std::ranges::all_of(slots_, [this](const Slot& slot) { return Usable(slot); })) {
      OnAllOpen(now);
    }
    return;
  }
  if (phase_ == Phase::kWarming && now >= phase_end_) BeginSchedule(phase_end_);
  if (phase_ != Phase::kRunning) return;
  const bool all_sent = options_.requests_max > 0 && recorder_.offered() >= options_.requests_max;
  // What was due before the end leaves, however late.
  const bool over = now >= phase_end_ && (!open_loop() || next_due_ == kNever);
  if (!all_sent && !over) return;
  phase_end_ = std::min(now, phase_end_);
  phase_ = Phase::kDraining;
  drain_began_ = now;
}

void Engine::OnAllOpen(TimeNs now) {
  stream_limit_ = slots_.front().socket->calls().streams_max();
  for (const Slot& slot : slots_) {
    stream_limit_ = std::min<std::int64_t>(stream_limit_, slot.socket->calls().streams_max());
  }
  for (int caller = 0; !open_loop() && caller < options_.concurrency; ++caller) {
    ++slots_[static_cast<std::size_t>(caller) % slots_.size()].idle_callers;
  }
  phase_ = Phase::kWarming;
  start_ = now;
  phase_end_ = now + FromSeconds(options_.warmup_s);
  if (options_.warmup_s <= 0) {
    BeginSchedule(now);
  } else if (open_loop()) {
    schedule_.emplace(options_.arrivals, WarmUp(options_), options_.seed + 2);
    next_due_ = AddSaturated(start_, schedule_->Next());
  }
}

void Engine::BeginSchedule(TimeNs start) {
  phase_ = Phase::kRunning;
  start_ = start;
  recorder_.Begin(start);
  busy_ = 0;
  cpu_at_start_ = ThreadCpu();
  phase_end_ = start + ScheduleLength();
  if (!open_loop()) return;
  schedule_.emplace(options_.arrivals, options_.segments, options_.seed);
  next_due_ = AddSaturated(start_, schedule_->Next());
}

TimeNs Engine::ScheduleLength() const {
  if (!open_loop()) return FromSeconds(options_.duration_s);
  double total_s = 0;
  for (const RateSegment& segment : options_.segments) total_s += segment.duration_s;
  return FromSeconds(total_s);
}

// What need not be looked at in every turn.
void Engine::Check(TimeNs now) {
  next_check_ = now + kCheckInterval;
  if (phase_ == Phase::kConnecting) {
    if (now - begun_at_ > FromSeconds(options_.connect_timeout_s)) {
      const bool accepted = std::ranges::any_of(slots_, [](const Slot& slot) {
        return slot.socket->state() == ClientSocket::State::kGreeting;
      });
      End(LoadEnd::kNotConnected,
          accepted ? StrCat(Peer(),
                            " accepts connections but sends no HTTP/2 SETTINGS: is it a "
                            "gRPC server without TLS?")
                   : StrCat("cannot connect to ", Peer(), ": no answer in time"));
    }
    Publish(now);
    return;
  }
  const bool any_open = std::ranges::any_of(slots_, [this](Slot& slot) { return Usable(slot); });
  for (Slot& slot : slots_) {
    if (slot.socket == nullptr && sending() && now >= slot.retry_at) Open(slot);
  }
  down_since_ = any_open ? kNever : std::min(down_since_, now);
  if (in_flight_ == 0 && phase_ != Phase::kDraining) last_progress_ = now;
  const TimeNs quiet = now - last_progress_;
  if (sending()) recorder_.Advance(std::min(now, next_due_));
  if (phase_ == Phase::kDraining) recorder_.Advance(now);
  Publish(now);
  if (sending() && down_since_ != kNever &&
      now - down_since_ > FromSeconds(options_.connect_timeout_s)) {
    End(LoadEnd::kDisconnected, StrCat("every connection to ", Peer(), " was lost"));
  } else if (phase_ == Phase::kDraining &&
             now - drain_began_ > FromSeconds(options_.drain_timeout_s)) {
    End(LoadEnd::kFinished, "");
  } else if (quiet > FromSeconds(options_.stall_timeout_s)) {
    End(LoadEnd::kStalled,
        StrCat("no answer for ", quiet / kSecond, " s while ", in_flight_, " calls waited"));
  }
}

void Engine::End(LoadEnd end, std::string failure) {
  if (phase_ == Phase::kEnded) return;
  phase_ = Phase::kEnded;
  end_ = end;
  failure_ = std::move(failure);
  ended_at_ = Now();
  loop_.RequestStop();
}

void Engine::PlanWake(TimeNs now) {
  TimeNs wake = next_check_;
  if (sending()) wake = std::min(wake, phase_end_);
  if (sending() && open_loop()) {
    if (next_due_ != kNever && next_due_ - now < kSpinWindow) {
      loop_.RunSoon();
      return;
    }
    wake = std::min(wake, next_due_ == kNever ? kNever : next_due_ - kSpinWindow);
  }
  // Waking too early does no harm, and arming in every turn would.
  if (armed() && planned_wake_ <= wake) return;
  planned_wake_ = wake;
  loop_.timers().Arm(*this, wake);
}

// ---- results ----

void Engine::Publish(TimeNs now) {
  const std::lock_guard lock(mu_);
  const std::vector<LoadSecond>& seconds = recorder_.seconds();
  seconds_.insert(seconds_.end(), seconds.begin() + static_cast<std::ptrdiff_t>(seconds_.size()),
                  seconds.end());
  const bool measuring = phase_ == Phase::kRunning || phase_ == Phase::kDraining;
  progress_ = {.end = end_,
               .connected = phase_ != Phase::kConnecting,
               .warming = phase_ == Phase::kWarming,
               .elapsed_s = measuring ? ToSeconds(now - start_) : 0,
               .total_s = ToSeconds(ScheduleLength()),
               .offered = recorder_.offered(),
               .ok = recorder_.ok(),
               .failed = recorder_.failed(),
               .in_flight = in_flight_,
               .p50_us = seconds_.empty() ? 0 : seconds_.back().p50_us,
               .p99_us = seconds_.empty() ? 0 : seconds_.back().p99_us};
}

// Ends what is still waiting.
void Engine::CloseAll() {
  phase_ = Phase::kEnded;
  for (Slot& slot : slots_) slot.socket.reset();
  for (std::unique_ptr<ClientSocket>& socket : retiring_) socket.reset();
}

LoadResult Engine::TakeResult() {
  const TimeNs cpu = ThreadCpu();
  CloseAll();
  const bool measured = recorder_.last_end() != 0;
  if (measured) recorder_.Finish(ended_at_);
  LoadResult result = {.end = end_, .failure = failure_};
  recorder_.Report(result);
  if (measured) {
    const TimeNs until = std::min(ended_at_, phase_end_);
    result.duration_s = ToSeconds(until - start_);
    result.elapsed_s = ToSeconds(std::max(until, recorder_.last_end()) - start_);
    result.cpu_s = ToSeconds(cpu - cpu_at_start_);
    result.busy_share = ToSeconds(busy_) / std::max(1e-9, ToSeconds(ended_at_ - start_));
  }
  result.warmup_calls = warmup_calls_;
  result.connections_lost = connections_lost_;
  result.stream_limited = stream_limited_;
  result.stream_limit = stream_limit_;
  Publish(ended_at_);
  const std::lock_guard lock(mu_);
  progress_.elapsed_s = result.elapsed_s;
  return result;
}

LoadProgress Engine::Progress() const {
  const std::lock_guard lock(mu_);
  return progress_;
}

std::vector<LoadSecond> Engine::Seconds(std::int64_t from) const {
  const std::lock_guard lock(mu_);
  const auto size = static_cast<std::int64_t>(seconds_.size());
  return {seconds_.begin() + std::clamp<std::int64_t>(from, 0, size), seconds_.end()};
}

}  // namespace penstock::load
