// PURE. What a call costs whether it is run or refused, so that it counts in its client's share and
// in its model's: a flood of refusals else takes from those who are served as much time as it takes
// to refuse them.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace penstock {

// Where loop and runs share a core: 4 us of the loop, and as much again and more in caches that the
// run beside it finds cold (bench/README.md).
inline constexpr TimeNs kCallCost = 10 * kMicrosecond;

// `served`, a virtual time, after `cost` more. A debt is bounded, or who flooded would be made to
// wait long after: cost alone takes nobody further than `debt_max` ahead of `current`, the virtual
// time of those who are served now.
template <typename T>
constexpr T Charged(T served, T current, T cost, T debt_max) {
  return std::max(served, std::min(served + cost, current + debt_max));
}

}  // namespace penstock
