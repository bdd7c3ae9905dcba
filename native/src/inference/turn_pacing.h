// PURE but for its state. How long a loop should rest after a turn. Each turn takes the core from a
// run and finds its caches cold: a turn of one call costs 20 us a call, most of it for the coming
// and going, a turn of many 6. Where all that a turn brought will wait, or was refused, the next
// calls may as well gather and be taken in together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/clock.h"

namespace penstock {

// What a turn brought.
struct TurnOutcome {
  bool ran = false;      // a model, on the loop itself
  bool refused = false;  // calls that a queue had no room for
  // Where calls joined a queue: until the first of the compute threads, all of which are busy, is
  // expected to be free. 0: none joined, or one is.
  TimeNs busy_for = 0;
  bool room_left = false;  // in a batch that they will be part of
};

class TurnPacing final {
 public:
  // A refusal is told at most so much later. A turn costs the run under way some 90 us, for the
  // turn itself and for the caches that it leaves cold: ten of them in a run of 30 ms are 3 %.
  // Refusals are to be told within 5 ms of the call, 99 of 100.
  static constexpr TimeNs kRestMax = 2500 * kMicrosecond;
  // Shorter ones are not worth their system call.
  static constexpr TimeNs kRestMin = 200 * kMicrosecond;

  // `shares_cores`: the compute threads leave no core to the loops.
  explicit TurnPacing(bool shares_cores) : shares_cores_(shares_cores) {}

  // After each turn, which began at `now`.
  TimeNs RestAfter(const TurnOutcome& turn, TimeNs now) {
    if (turn.ran) ran_at_ = now;
    if (turn.refused && RefusesAllTheTime(now)) return kRestMax;
    // What a loop runs itself is to be quick: it comes while the loop rests as well.
    if (!shares_cores_ || now - ran_at_ < kRanLately) return 0;
    // Half of the time, and then half of what is left: a run may end earlier than expected, and
    // what has come by then is to be in the next, if there is room.
    const TimeNs rest = std::min(kRestMax, turn.room_left ? turn.busy_for / 2 : turn.busy_for);
    return rest < kRestMin ? 0 : rest;
  }

 private:
  static constexpr TimeNs kRanLately = kSecond;

  // A refusal now and then costs nothing worth waiting for.
  bool RefusesAllTheTime(TimeNs now) {
    return now - std::exchange(refused_at_, now) < 2 * kRestMax;
  }

  const bool shares_cores_;
  TimeNs refused_at_ = -kSecond;
  TimeNs ran_at_ = -kRanLately;
};

}  // namespace penstock
