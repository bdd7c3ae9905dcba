// PURE but for its state. When a loop should rest between turns. Each turn takes the core from a
// run and finds its caches cold: at ten times the capacity, turns of one call each cost 20 us a
// call, most of it for the coming and going. A loop that refuses all the time therefore lets calls
// gather and answers them together, up to two milliseconds later.
#pragma once

#include <cstdint>
#include <utility>

#include "base/clock.h"

namespace penstock {

class RefusalPacing final {
 public:
  static constexpr TimeNs kRest = 2 * kMillisecond;

  // After each turn: `refused` since the start, and when the turn began. True: rest for kRest.
  bool RestsAfter(std::int64_t refused, TimeNs now) {
    if (std::exchange(refused_, refused) == refused) return false;
    // A refusal now and then costs nothing worth waiting for.
    const TimeNs since = now - std::exchange(refused_at_, now);
    return since < 2 * kRest;
  }

 private:
  std::int64_t refused_ = 0;
  TimeNs refused_at_ = -kSecond;
};

}  // namespace penstock
