#include "base/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace penstock {

std::uint64_t TimerWheel::TickAtOrAfter(TimeNs when) const {
  if (when <= start_) return 0;
  const std::uint64_t delay = static_cast<std::uint64_t>(when) - static_cast<std::uint64_t>(start_);
  const std::uint64_t tick = (delay >> kTickShift) + 1;
  constexpr std::uint64_t kTickMax = (std::uint64_t{1} << (kLevels * kSlotBits)) - 1;
  return std::min(tick, kTickMax);
}

void TimerWheel::Arm(Timer& timer, TimeNs when) {
  timer.Unlink();
  timer.due_tick_ = std::max(TickAtOrAfter(when), tick_);
  Insert(timer);
}

// The level is that of the highest digit in which the due tick differs from the current one: a
// timer moves down a level whenever that digit comes round.
void TimerWheel::Insert(Timer& timer) {
  const std::uint64_t difference = timer.due_tick_ ^ tick_;
  const int level = difference == 0 ? 0 : (63 - std::countl_zero(difference)) / kSlotBits;
  const std::uint64_t slot = (timer.due_tick_ >> (level * kSlotBits)) & (kSlots - 1);
  slots_[static_cast<std::size_t>(level)][slot].PushBack(timer);
  occupied_[static_cast<std::size_t>(level)] |= std::uint64_t{1} << slot;
}

void TimerWheel::Cascade(int level) {
  const std::uint64_t slot = (tick_ >> (level * kSlotBits)) & (kSlots - 1);
  Slot& source = slots_[static_cast<std::size_t>(level)][slot];
  occupied_[static_cast<std::size_t>(level)] &= ~(std::uint64_t{1} << slot);
  Slot moving;
  moving.Splice(source);
  while (Timer* timer = moving.PopFront()) Insert(*timer);
}

void TimerWheel::Advance(TimeNs now) {
  if (now < start_) return;
  const std::uint64_t target =
      (static_cast<std::uint64_t>(now) - static_cast<std::uint64_t>(start_)) >> kTickShift;
  while (tick_ <= target) {
    const std::uint64_t slot = tick_ & (kSlots - 1);
    Slot due;
    due.Splice(slots_[0][slot]);
    occupied_[0] &= ~(std::uint64_t{1} << slot);
    ++tick_;
    // Digits that came round to zero: bring their timers down, the highest first.
    for (int level = kLevels - 1; level > 0; --level) {
      const std::uint64_t below = (std::uint64_t{1} << (level * kSlotBits)) - 1;
      if ((tick_ & below) == 0) Cascade(level);
    }
    while (Timer* timer = due.PopFront()) timer->OnTimer(now);
    // Skip what is idle, but no further than this digit's last slot: the next step cascades.
    const TimeNs next = NextDue();
    if (next == kNever) {
      tick_ = std::max(tick_, target + 1);
      return;
    }
    const std::uint64_t idle_until =
        (static_cast<std::uint64_t>(next) - static_cast<std::uint64_t>(start_)) >> kTickShift;
    tick_ = std::max(tick_, std::min({idle_until, target + 1, tick_ | (kSlots - 1)}));
  }
}

TimeNs TimerWheel::NextDue() const {
  for (int level = 0; level < kLevels; ++level) {
    const int shift = level * kSlotBits;
    const std::uint64_t position = (tick_ >> shift) & (kSlots - 1);
    std::uint64_t& occupied = occupied_[static_cast<std::size_t>(level)];
    std::uint64_t candidates = occupied & (~std::uint64_t{0} << position);
    while (candidates != 0) {
      const auto slot = static_cast<std::uint64_t>(std::countr_zero(candidates));
      if (!slots_[static_cast<std::size_t>(level)][slot].empty()) {
        const std::uint64_t base = (tick_ >> shift) & ~(kSlots - 1);
        const std::uint64_t tick = std::max((base | slot) << shift, tick_);
        return start_ + static_cast<TimeNs>(tick << kTickShift);
      }
      occupied &= ~(std::uint64_t{1} << slot);
      candidates &= candidates - 1;
    }
  }
  return kNever;
}

}  // namespace penstock
