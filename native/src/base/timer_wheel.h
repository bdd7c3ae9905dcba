// Timers as a pure data structure: a hierarchical wheel with about 1 ms of resolution, O(1) to arm
// and cancel, which matters because nearly every deadline is cancelled. No clock inside.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/intrusive_list.h"

namespace penstock {

// Base of whatever wants to be called at a time. Unarmed when it dies.
class Timer : public ListLink<Timer> {
 public:
  virtual void OnTimer(TimeNs now) = 0;
  bool armed() const { return linked(); }
  void Disarm() { Unlink(); }

 protected:
  ~Timer() = default;

 private:
  friend class TimerWheel;
  std::uint64_t due_tick_ = 0;
};

class TimerWheel final {
 public:
  // `start`: no timer can be due earlier.
  explicit TimerWheel(TimeNs start) : start_(start) {}

  // Arms (or moves) the timer. It fires in the first Advance at or after `when`, never before.
  void Arm(Timer& timer, TimeNs when);
  // Fires what is due. Timers may arm and disarm any timer from OnTimer.
  void Advance(TimeNs now);
  // A time at or before the next timer's; kNever when nothing is armed. Disarmed timers may make
  // it early, never late.
  TimeNs NextDue() const;

 private:
  static constexpr int kTickShift = 20;  // 2^20 ns: 1.05 ms
  static constexpr int kSlotBits = 6;
  static constexpr int kLevels = 7;  // 2^42 ticks: about 146 years
  static constexpr std::uint64_t kSlots = 1 << kSlotBits;
  using Slot = IntrusiveList<Timer, Timer>;

  std::uint64_t TickAtOrAfter(TimeNs when) const;
  void Insert(Timer& timer);
  void Cascade(int level);

  TimeNs start_;
  std::uint64_t tick_ = 0;  // every tick before this one has fired
  // A set bit: the slot may hold timers. A clear one: it holds none.
  mutable std::array<std::uint64_t, kLevels> occupied_{};
  mutable std::array<std::array<Slot, kSlots>, kLevels> slots_;
};

}  // namespace penstock
