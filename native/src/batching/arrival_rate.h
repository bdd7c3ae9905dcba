// How many rows arrive each nanosecond, of late: a mean whose memory fades over a tenth of a
// second.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/clock.h"

namespace penstock {

class ArrivalRate final {
 public:
  void Note(std::int64_t rows, TimeNs now) {
    rate_ = At(now) + static_cast<double>(rows) / kMemory;
    noted_at_ = std::max(noted_at_, now);
  }
  double At(TimeNs now) const {
    const auto since = static_cast<double>(std::max<TimeNs>(now - noted_at_, 0));
    return rate_ * std::exp(-since / kMemory);
  }

 private:
  static constexpr double kMemory = 100.0 * kMillisecond;

  double rate_ = 0;
  TimeNs noted_at_ = 0;
};

}  // namespace penstock
