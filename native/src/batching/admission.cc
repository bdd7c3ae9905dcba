#include "batching/admission.h"

#include <algorithm>

namespace penstock {
namespace {

TimeNs DrainTime(std::int64_t batches, const AdmissionFacts& facts,
                 const ServiceTime& service_time) {
  const auto each = static_cast<double>(service_time.Predict(facts.rows_max));
  return static_cast<TimeNs>(static_cast<double>(batches) * each / facts.servers);
}

}  // namespace

TimeNs PredictFinish(const AdmissionFacts& facts, const ServiceTime& service_time) {
  const std::int64_t full_batches = facts.rows_ahead / facts.rows_max;
  const std::int64_t in_own_batch = facts.rows_ahead % facts.rows_max + facts.rows;
  return facts.now + facts.free_in + DrainTime(full_batches, facts, service_time) +
         service_time.PredictHigh(in_own_batch);
}

bool InTime(TimeNs finish, TimeNs deadline, TimeNs now) {
  return deadline == kNever || finish <= deadline - (deadline - now) / 10;
}

TimeNs RetryAfter(const AdmissionFacts& facts, const ServiceTime& service_time, double jitter) {
  const std::int64_t batches = (facts.rows_ahead + facts.rows_max - 1) / facts.rows_max;
  const TimeNs drained = facts.free_in + DrainTime(batches, facts, service_time);
  const auto spread = static_cast<TimeNs>(static_cast<double>(drained) * (0.8 + 0.4 * jitter));
  return std::max(spread, kMillisecond);
}

}  // namespace penstock
