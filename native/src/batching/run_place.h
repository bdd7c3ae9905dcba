// PURE. On a loop or in the pool: where the runs of a model belong that was found short enough for
// the loops. A model that turns slow leaves them at once, or every connection would wait for it; it
// comes back when it has become clearly faster, and not before it has stayed away for a while.
#pragma once

#include "base/clock.h"

namespace penstock {

// What a run of one row may take for a model to run on a loop: nobody else is served meanwhile.
inline constexpr TimeNs kInlineRunMax = 100 * kMicrosecond;
// And what makes it leave. Apart from the former, or a model at the limit would go to and fro.
inline constexpr TimeNs kInlineRunLeaves = 200 * kMicrosecond;
inline constexpr TimeNs kPoolStay = kSecond;

struct RunPlace {
  bool on_loop = true;
  TimeNs since = 0;
};

// `one_row`: what a run of one row takes by now.
inline RunPlace ChooseRunPlace(RunPlace at, TimeNs one_row, TimeNs now) {
  if (at.on_loop) return one_row > kInlineRunLeaves ? RunPlace{.on_loop = false, .since = now} : at;
  const bool may_return = now - at.since >= kPoolStay && one_row <= kInlineRunMax;
  return may_return ? RunPlace{.on_loop = true, .since = now} : at;
}

}  // namespace penstock
