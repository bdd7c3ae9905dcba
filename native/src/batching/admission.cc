#include "batching/admission.h"

#include <algorithm>

namespace penstock {
namespace {

// Of a deadline `left` away, what a promise may use at most.
TimeNs Promisable(TimeNs left) {
  return left - left / 10;
}

TimeNs DrainTime(std::int64_t batches, std::int64_t rows, const AdmissionFacts& facts,
                 const ServiceTime& service_time) {
  const auto each = static_cast<double>(service_time.Predict(rows));
  return static_cast<TimeNs>(static_cast<double>(batches) * each / facts.servers);
}

double FillTime(std::int64_t rows, double arrival_rate) {
  return static_cast<double>(rows) / arrival_rate;
}

// The most rows of a batch that is in time although its first row waits until it is full, or until
// another of its size has run, whichever is less.
std::int64_t PlannedRows(const AdmissionFacts& facts, TimeNs promisable,
                         const ServiceTime& service_time) {
  if (facts.free_in == 0) return std::max(facts.rows_max, facts.rows);
  std::int64_t rows = service_time.RowsWithinHigh(facts.rows_max, promisable / 2);
  std::int64_t too_many = facts.rows_max + 1;
  while (facts.arrival_rate > 0 && too_many - rows > 1) {
    const std::int64_t middle = rows + (too_many - rows) / 2;
    const auto run = static_cast<double>(service_time.PredictHigh(middle));
    const bool fits = FillTime(middle, facts.arrival_rate) + run <= static_cast<double>(promisable);
    (fits ? rows : too_many) = middle;
  }
  return std::max(rows, facts.rows);
}

// How much earlier than necessary an answer is to be: what is to spare where a batch runs after it
// has filled, if that takes twice as long as now. No more than half a run, which is what a queue of
// many batches has to spare as well.
TimeNs Reserve(const AdmissionFacts& facts, std::int64_t planned, TimeNs promisable,
               const ServiceTime& service_time) {
  if (facts.free_in == 0 || facts.refill_rate == 0) return 0;
  const TimeNs run = service_time.PredictHigh(planned);
  const double spare =
      static_cast<double>(promisable - run) - 2 * FillTime(planned, facts.refill_rate);
  return spare <= 0 ? 0 : static_cast<TimeNs>(std::min(spare, static_cast<double>(run) / 2));
}

}  // namespace

Forecast PredictAnswer(const AdmissionFacts& facts, TimeNs deadline,
                       const ServiceTime& service_time) {
  const TimeNs promisable = Promisable(deadline - facts.now);
  const std::int64_t planned = PlannedRows(facts, promisable, service_time);
  const std::int64_t up_to_it = facts.rows_ahead + facts.rows;
  const std::int64_t batches_ahead = (up_to_it - 1) / planned;
  const double to_come = facts.arrival_rate * static_cast<double>(facts.free_in);
  const double in_own_batch = batches_ahead > 0 ? static_cast<double>(planned)
                                                : std::min(static_cast<double>(planned),
                                                           static_cast<double>(up_to_it) + to_come);
  const TimeNs waits = facts.free_in + DrainTime(batches_ahead, planned, facts, service_time);
  const TimeNs runs = service_time.PredictHigh(static_cast<std::int64_t>(in_own_batch));
  const TimeNs reserve = Reserve(facts, planned, promisable, service_time);
  return {.finish = facts.now + waits + runs, .promised = facts.now + promisable - reserve};
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
