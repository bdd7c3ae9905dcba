// Time is a parameter: every object that needs it takes a TimeNs or a Clock. One place reads the
// system's clocks (here); unit tests pass a ManualClock (tests/support/manual_clock.h).
#pragma once

#include <cstdint>
#include <ctime>
#include <limits>

namespace penstock {

// Nanoseconds on the monotonic clock. Only differences mean anything.
using TimeNs = std::int64_t;

inline constexpr TimeNs kMicrosecond = 1'000;
inline constexpr TimeNs kMillisecond = 1'000'000;
inline constexpr TimeNs kSecond = 1'000'000'000;
inline constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimeNs Now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  TimeNs Now() const override {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<TimeNs>(now.tv_sec) * kSecond + now.tv_nsec;
  }
};

// CPU time that the calling thread has had. A system call: not for what takes microseconds.
inline TimeNs ThreadCpuTime() {
  timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<TimeNs>(used.tv_sec) * kSecond + used.tv_nsec;
}

// `now + delay` that stays at kNever instead of overflowing: a peer chooses its own timeout.
inline TimeNs AddSaturated(TimeNs now, TimeNs delay) {
  return delay >= kNever - now ? kNever : now + delay;
}

}  // namespace penstock
