// PURE but for its state. Notices a standing queue (CoDel, Nichols and Jacobson 2012; on requests
// as in folly's Codel): when even the shortest wait of an interval was above the target, the queue
// does not drain, and those who have waited twice the target are refused. A burst that drains
// within the interval is let through. For calls without a deadline: the others have a better
// measure.
#pragma once

#include "base/clock.h"

namespace penstock {

class QueueDelay final {
 public:
  // An entry that has waited for `delay` is about to be run. True: it is to be refused instead. A
  // target of 0 turns it off.
  bool Refuses(TimeNs target, TimeNs delay, TimeNs now) {
    if (target == 0) return false;
    if (now >= interval_end_) {
      // An interval in which nothing ran says nothing of this one.
      overloaded_ = shortest_ > target && now < interval_end_ + kInterval;
      interval_end_ = now + kInterval;
      shortest_ = delay;
    } else if (delay < shortest_) {
      shortest_ = delay;
    }
    return overloaded_ && delay > 2 * target;
  }

 private:
  static constexpr TimeNs kInterval = 100 * kMillisecond;
  TimeNs interval_end_ = 0;
  TimeNs shortest_ = 0;
  bool overloaded_ = false;
};

}  // namespace penstock
