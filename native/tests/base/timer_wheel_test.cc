// The wheel against a model that is too simple to be wrong: a map of due times.
#include "base/timer_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "support/random_source.h"

namespace penstock {
namespace {

constexpr TimeNs kStart = 5 * kSecond;
// The resolution promised, doubled: an Advance this long after `when` has fired it.
constexpr TimeNs kLate = 2 * (TimeNs{1} << 20);

class RecordingTimer final : public Timer {
 public:
  ~RecordingTimer() { Disarm(); }
  void OnTimer(TimeNs now) override {
    EXPECT_FALSE(armed());
    fired.push_back(now);
    if (on_fire) on_fire(now);
  }
  std::vector<TimeNs> fired;
  std::function<void(TimeNs)> on_fire;
};

TEST(TimerWheelTest, Nothing_IsNeverDue) {
  TimerWheel wheel(kStart);
  EXPECT_EQ(wheel.NextDue(), kNever);
  wheel.Advance(kStart + 1000 * kSecond);
  EXPECT_EQ(wheel.NextDue(), kNever);
}

TEST(TimerWheelTest, Timer_FiresOnceNotBeforeItsTime) {
  for (const TimeNs delay : {TimeNs{0}, TimeNs{1}, kMillisecond, 63 * (TimeNs{1} << 20),
                             64 * (TimeNs{1} << 20), kSecond, 3600 * kSecond, 86400 * kSecond}) {
    SCOPED_TRACE(delay);
    TimerWheel wheel(kStart);
    RecordingTimer timer;
    const TimeNs when = kStart + delay;
    wheel.Arm(timer, when);
    EXPECT_LE(wheel.NextDue(), when + kLate);
    if (delay > 0) wheel.Advance(when - 1);
    EXPECT_TRUE(timer.fired.empty());
    EXPECT_LE(wheel.NextDue(), when + kLate);
    wheel.Advance(when + kLate);
    EXPECT_EQ(timer.fired.size(), 1U);
    wheel.Advance(when + 1000 * kSecond);
    EXPECT_EQ(timer.fired.size(), 1U);
  }
}

TEST(TimerWheelTest, PastTime_FiresAtNextAdvance) {
  TimerWheel wheel(kStart);
  wheel.Advance(kStart + kSecond);
  RecordingTimer timer;
  wheel.Arm(timer, kStart);
  wheel.Advance(kStart + kSecond + kLate);
  EXPECT_EQ(timer.fired.size(), 1U);
}

TEST(TimerWheelTest, NeverAndFarFuture_DoNotFireAndCanBeDisarmed) {
  TimerWheel wheel(kStart);
  RecordingTimer timer;
  wheel.Arm(timer, kNever);
  wheel.Advance(kStart + 3600 * kSecond);
  EXPECT_TRUE(timer.fired.empty());
  EXPECT_TRUE(timer.armed());
  timer.Disarm();
  wheel.Advance(kStart + 7200 * kSecond);
  EXPECT_EQ(wheel.NextDue(), kNever);
}

TEST(TimerWheelTest, RearmInOnTimer_FiresAgainLater) {
  TimerWheel wheel(kStart);
  RecordingTimer timer;
  timer.on_fire = [&](TimeNs now) { wheel.Arm(timer, now + kSecond); };
  wheel.Arm(timer, kStart);
  for (int i = 1; i <= 20; ++i) wheel.Advance(kStart + i * 2 * kSecond);
  EXPECT_EQ(timer.fired.size(), 20U);
  // Re-armed for now, it must not keep the same Advance busy for ever.
  timer.on_fire = [&](TimeNs now) { wheel.Arm(timer, now); };
  wheel.Advance(kStart + 100 * kSecond);
  EXPECT_EQ(timer.fired.size(), 21U);
}

TEST(TimerWheelTest, TimersOfOneTick_MayDisarmEachOther) {
  TimerWheel wheel(kStart);
  RecordingTimer a, b;
  a.on_fire = [&](TimeNs) { b.Disarm(); };
  b.on_fire = [&](TimeNs) { a.Disarm(); };
  wheel.Arm(a, kStart + kSecond);
  wheel.Arm(b, kStart + kSecond);
  wheel.Advance(kStart + 2 * kSecond);
  EXPECT_EQ(a.fired.size() + b.fired.size(), 1U);
}

// Delays of every magnitude, so that every level of the wheel is used.
TimeNs RandomDelay(RandomSource& random, std::size_t bits_max = 44) {
  const auto bits = random.Below(bits_max);
  return static_cast<TimeNs>(random.Below((std::size_t{1} << bits) + 1));
}

class WheelModel {
 public:
  explicit WheelModel(std::uint64_t seed) : random_(seed), wheel_(kStart) {
    for (std::size_t i = 0; i < kTimers; ++i) {
      timers_.push_back(std::make_unique<RecordingTimer>());
      timers_[i]->on_fire = [this, i](TimeNs now) { OnFire(i, now); };
    }
  }
  void Step() {
    const std::size_t i = random_.Below(kTimers);
    switch (random_.Below(4)) {
      case 0:
      case 1:
        Arm(i, now_ + RandomDelay(random_));
        break;
      case 2:
        timers_[i]->Disarm();
        due_.erase(i);
        break;
      default:
        Advance();
    }
    CheckNextDue();
  }
  // Everything armed fires in the end.
  void Finish() {
    rearm_ = false;
    now_ += TimeNs{1} << 45;
    wheel_.Advance(now_);
    EXPECT_TRUE(due_.empty());
  }

 private:
  static constexpr std::size_t kTimers = 40;

  void Arm(std::size_t i, TimeNs when) {
    wheel_.Arm(*timers_[i], when);
    due_[i] = when;
  }
  void OnFire(std::size_t i, TimeNs now) {
    ASSERT_TRUE(due_.contains(i)) << "fired though not armed";
    EXPECT_LE(due_[i], now) << "fired early";
    due_.erase(i);
    if (rearm_ && random_.OneIn(3)) Arm(i, now + RandomDelay(random_));
    if (rearm_ && random_.OneIn(5)) {
      const std::size_t other = random_.Below(kTimers);
      timers_[other]->Disarm();
      due_.erase(other);
    }
  }
  void Advance() {
    now_ += RandomDelay(random_, 36);
    wheel_.Advance(now_);
    for (const auto& [i, when] : due_) EXPECT_GT(when + kLate, now_) << "timer " << i << " is late";
  }
  void CheckNextDue() {
    TimeNs earliest = kNever;
    for (const auto& [i, when] : due_) earliest = std::min(earliest, when);
    if (earliest == kNever) return;
    EXPECT_LE(wheel_.NextDue(), std::max(earliest, now_) + kLate);
  }

  RandomSource random_;
  TimerWheel wheel_;
  TimeNs now_ = kStart;
  bool rearm_ = true;
  std::vector<std::unique_ptr<RecordingTimer>> timers_;
  std::map<std::size_t, TimeNs> due_;
};

TEST(TimerWheelTest, RandomUse_AgreesWithModel) {
  const std::uint64_t first = RandomSource::Seed(1);
  for (std::uint64_t seed = first; seed < first + 20; ++seed) {
    SCOPED_TRACE(seed);
    WheelModel model(seed);
    for (int i = 0; i < 2000; ++i) model.Step();
    model.Finish();
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

// What an event loop does: sleep until NextDue, advance. It must terminate and be in time.
TEST(TimerWheelTest, SleepingUntilNextDue_FiresInTimeInFewSteps) {
  RandomSource random(RandomSource::Seed(7));
  for (int round = 0; round < 200; ++round) {
    TimerWheel wheel(kStart);
    RecordingTimer timer;
    TimeNs now = kStart + RandomDelay(random);
    wheel.Advance(now);
    const TimeNs when = now + RandomDelay(random);
    wheel.Arm(timer, when);
    int steps = 0;
    while (timer.fired.empty() && ++steps < 1000) {
      ASSERT_NE(wheel.NextDue(), kNever);
      now = std::max(now + 1, wheel.NextDue());
      wheel.Advance(now);
    }
    ASSERT_EQ(timer.fired.size(), 1U);
    EXPECT_LE(timer.fired[0], when + kLate);
    EXPECT_LE(steps, 16) << "a loop would wake this often for one timer";
  }
}

}  // namespace
}  // namespace penstock
