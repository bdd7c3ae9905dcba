#include "load/arrivals.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/strings.h"

namespace penstock::load {
namespace {

TimeNs Nanoseconds(double seconds) {
  return static_cast<TimeNs>(seconds * 1e9);
}

double TotalSeconds(const std::vector<RateSegment>& segments) {
  double total = 0;
  for (const RateSegment& segment : segments) total += segment.duration_s;
  return total;
}

bool Inside(double value, double max) {
  return value >= 0 && value <= max;
}

}  // namespace

Status CheckSegments(const std::vector<RateSegment>& segments) {
  constexpr double kDurationMax = 1e7;  // about four months
  double calls = 0;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const RateSegment& segment = segments[i];
    if (!(segment.duration_s > 0) || !Inside(segment.duration_s, kDurationMax)) {
      return InvalidArgument(StrCat("segment ", i, ": duration_s must be above 0"));
    }
    if (!Inside(segment.rate_start, kRateMax) || !Inside(segment.rate_end, kRateMax)) {
      return InvalidArgument(StrCat("segment ", i, ": rates must lie between 0 and ",
                                    static_cast<std::int64_t>(kRateMax), " calls a second"));
    }
    calls += segment.duration_s * (segment.rate_start + segment.rate_end) / 2;
  }
  if (!(calls > 0)) return InvalidArgument("the schedule holds no calls: every rate is 0");
  return {};
}

ArrivalSchedule::ArrivalSchedule(Arrivals arrivals, std::vector<RateSegment> segments,
                                 std::uint64_t seed)
    : arrivals_(arrivals),
      segments_(std::move(segments)),
      end_(Nanoseconds(TotalSeconds(segments_))),
      random_(seed) {}

TimeNs ArrivalSchedule::Next() {
  double area = arrivals_ == Arrivals::kPoisson ? random_.Exponential() : 1.0;
  for (; segment_ < segments_.size(); ++segment_) {
    const RateSegment& segment = segments_[segment_];
    const double slope = (segment.rate_end - segment.rate_start) / segment.duration_s;
    const double rate = segment.rate_start + slope * inside_s_;
    const double left_s = segment.duration_s - inside_s_;
    const double area_left = left_s * (rate + segment.rate_end) / 2;
    if (area < area_left) {
      // Solves rate * dt + slope * dt^2 / 2 = area in the form that keeps its digits when the
      // slope is small or the rate is zero.
      const double root = std::sqrt(std::max(0.0, rate * rate + 2 * slope * area));
      inside_s_ += std::min(left_s, 2 * area / (rate + root));
      return Nanoseconds(segment_start_s_ + inside_s_);
    }
    area -= area_left;
    segment_start_s_ += segment.duration_s;
    inside_s_ = 0;
  }
  return kNever;
}

}  // namespace penstock::load
