// PURE. When calls are due: a rate over time, given as linear segments, and how calls are spread
// under it. No clock: times count from the beginning of the schedule.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <penstock/load.h>

#include "base/clock.h"
#include "base/status.h"
#include "load/random.h"

namespace penstock::load {

// The rates a machine can keep are far below; beyond it the arithmetic would lose its precision.
inline constexpr double kRateMax = 1e8;

Status CheckSegments(const std::vector<RateSegment>& segments);

class ArrivalSchedule final {
 public:
  // `segments` passed CheckSegments.
  ArrivalSchedule(Arrivals arrivals, std::vector<RateSegment> segments, std::uint64_t seed);

  // The next call's due time, never before the one before; kNever after the last.
  //
  // Calls are a point process with the given intensity: the area under the rate grows by one for
  // each call (constant), or by an exponential step of mean one (Poisson). At an even rate that
  // means even gaps, or exponential ones; in a ramp the gaps shrink as the rate rises.
  TimeNs Next();

  // Where the last segment ends.
  TimeNs end() const { return end_; }

 private:
  const Arrivals arrivals_;
  const std::vector<RateSegment> segments_;
  const TimeNs end_;
  Random random_;
  std::size_t segment_ = 0;
  double segment_start_s_ = 0;
  double inside_s_ = 0;  // of the current segment, already passed
};

}  // namespace penstock::load
