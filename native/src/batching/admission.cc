#include "batching/admission.h"

#include <algorithm>

namespace penstock {
namespace {

// Of a deadline `left` away, what a promise may use.
TimeNs Promised(TimeNs left) {
  return left - left / 10;
}

TimeNs DrainTime(std::int64_t batches, std::int64_t rows, const AdmissionFacts& facts,
                 const ServiceTime& service_time) {
  const auto each = static_cast<double>(service_time.Predict(rows));
  return static_cast<TimeNs>(static_cast<double>(batches) * each / facts.servers);
}

// The most rows of a batch that is in time although its first row waits until it is full, or until
// another of its size has run, whichever is less.
std::int64_t PlannedRows(const AdmissionFacts& facts, TimeNs deadline,
                         const ServiceTime& service_time) {
  if (facts.free_in == 0) return std::max(facts.rows_max, facts.rows);
  const TimeNs promised = Promised(deadline - facts.now);
  std::int64_t rows = service_time.RowsWithinHigh(facts.rows_max, promised / 2);
  std::int64_t too_many = facts.rows_max + 1;
  while (facts.arrival_rate > 0 && too_many - rows > 1) {
    const std::int64_t middle = rows + (too_many - rows) / 2;
    const double fills_in = static_cast<double>(middle) / facts.arrival_rate;
    const auto run = static_cast<double>(service_time.PredictHigh(middle));
    (fills_in + run <= static_cast<double>(promised) ? rows : too_many) = middle;
  }
  return std::max(rows, facts.rows);
}

}  // namespace

TimeNs PredictFinish(const AdmissionFacts& facts, TimeNs deadline,
                     const ServiceTime& service_time) {
  const std::int64_t planned = PlannedRows(facts, deadline, service_time);
  const std::int64_t up_to_it = facts.rows_ahead + facts.rows;
  const std::int64_t batches_ahead = (up_to_it - 1) / planned;
  const double to_come = facts.arrival_rate * static_cast<double>(facts.free_in);
  const double in_own_batch = batches_ahead > 0 ? static_cast<double>(planned)
                                                : std::min(static_cast<double>(planned),
                                                           static_cast<double>(up_to_it) + to_come);
  return facts.now + facts.free_in + DrainTime(batches_ahead, planned, facts, service_time) +
         service_time.PredictHigh(static_cast<std::int64_t>(in_own_batch));
}

bool InTime(TimeNs finish, TimeNs deadline, TimeNs now) {
  return deadline == kNever || finish <= now + Promised(deadline - now);
}

TimeNs PredictWait(const AdmissionFacts& facts, const ServiceTime& service_time) {
  const std::int64_t batches = (facts.rows_ahead + facts.rows_max - 1) / facts.rows_max;
  return facts.free_in + DrainTime(batches, facts.rows_max, facts, service_time);
}

TimeNs WaitLimit(TimeNs configured, TimeNs batch) {
  constexpr TimeNs kWaitMax = 10 * kSecond;
  constexpr TimeNs kBatches = 20;
  if (configured > 0) return configured;
  return batch >= kNever / kBatches ? kNever : std::max(kWaitMax, kBatches * batch);
}

TimeNs RetryAfter(const AdmissionFacts& facts, const ServiceTime& service_time, double jitter) {
  const TimeNs drained = PredictWait(facts, service_time);
  const auto spread = static_cast<TimeNs>(static_cast<double>(drained) * (0.8 + 0.4 * jitter));
  return std::max(spread, kMillisecond);
}

}  // namespace penstock
