// A clock that stands still until a test moves it. One thread.
#pragma once

#include "base/check.h"
#include "base/clock.h"

namespace penstock {

class ManualClock final : public Clock {
 public:
  // Not zero, so that code which takes zero for "never" shows.
  explicit ManualClock(TimeNs now = kSecond) : now_(now) {}

  TimeNs Now() const override { return now_; }
  void Advance(TimeNs duration) {
    CHECK_GE(duration, 0);
    now_ += duration;
  }

 private:
  TimeNs now_;
};

}  // namespace penstock
