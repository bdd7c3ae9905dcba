#include "load/recorder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace penstock::load {
namespace {

double Microseconds(std::int64_t ns) {
  return static_cast<double>(ns) / 1e3;
}

std::vector<LoadBucket> BucketsOf(const Histogram& histogram) {
  std::vector<LoadBucket> buckets;
  histogram.ForEachBucket([&buckets](std::int64_t value, std::int64_t count) {
    buckets.push_back({.value_us = Microseconds(value), .count = count});
  });
  return buckets;
}

void AddTo(LoadCounts& sum, const LoadCounts& part) {
  sum.offered += part.offered;
  sum.sent += part.sent;
  sum.ok += part.ok;
  sum.wrong += part.wrong;
  sum.shed += part.shed;
  sum.deadline_missed += part.deadline_missed;
  sum.errors += part.errors;
  sum.transport_errors += part.transport_errors;
  sum.unanswered += part.unanswered;
  sum.generator_limited += part.generator_limited;
  for (const auto& [code, count] : part.statuses) sum.statuses[code] += count;
}

}  // namespace

Recorder::Recorder(std::size_t payloads, bool keep_second_buckets)
    : keep_second_buckets_(keep_second_buckets), payloads_(payloads) {}

void Recorder::Begin(TimeNs start) {
  last_end_ = start;
  second_end_ = start + kSecond;
}

void Recorder::Advance(TimeNs now) {
  while (now >= second_end_) CloseSecond();
}

void Recorder::Offered(std::size_t payload) {
  ++payloads_[payload].offered;
  ++offered_;
  ++second_.offered;
}

void Recorder::Sent(std::size_t payload) {
  ++payloads_[payload].sent;
  ++second_.sent;
}

void Recorder::Ended(const End& end) {
  PayloadCells& cells = payloads_[end.payload];
  ++cells.verdicts[static_cast<std::size_t>(end.verdict)];
  if (end.code >= 0) {
    // A number that gRPC does not know means UNKNOWN.
    constexpr std::size_t kUnknown = 2;
    const auto code = static_cast<std::size_t>(end.code);
    ++cells.codes[code < kCodes ? code : kUnknown];
  }
  if (end.verdict == Verdict::kOk) {
    ++ok_;
    ++second_.ok;
  } else {
    ++failed_;
    ++second_.failed;
  }
  if (end.latency >= 0) {
    cells.latency.Record(end.latency);
    second_latency_.Record(end.latency);
  }
  if (end.latency_from_send >= 0) latency_from_send_.Record(end.latency_from_send);
  if (end.shed_latency >= 0) shed_latency_.Record(end.shed_latency);
  last_end_ = std::max(last_end_, end.at);
}

void Recorder::Example(std::string_view text) {
  constexpr std::size_t kExamplesMax = 16;
  for (LoadFailureExample& example : examples_) {
    if (example.text == text) {
      ++example.count;
      return;
    }
  }
  if (examples_.size() < kExamplesMax) examples_.push_back({std::string(text), 1});
}

void Recorder::CloseSecond() {
  second_.in_flight = in_flight();
  second_.p50_us = Microseconds(second_latency_.Percentile(0.5));
  second_.p99_us = Microseconds(second_latency_.Percentile(0.99));
  second_.max_us = Microseconds(second_latency_.max());
  if (keep_second_buckets_) second_.buckets = BucketsOf(second_latency_);
  second_latency_.Clear();
  const std::int64_t next = second_.index + 1;
  seconds_.push_back(std::exchange(second_, LoadSecond{.index = next}));
  second_end_ += kSecond;
}

void Recorder::Finish(TimeNs now) {
  if (second_end_ == kNever) return;
  Advance(now);
  if (second_.offered + second_.ok + second_.failed > 0) CloseSecond();
}

void Recorder::Report(LoadResult& result) const {
  Histogram latency;
  for (const PayloadCells& cells : payloads_) {
    const auto count = [&cells](Verdict verdict) {
      return cells.verdicts[static_cast<std::size_t>(verdict)];
    };
    LoadPayloadResult part;
    part.counts = {.offered = cells.offered,
                   .sent = cells.sent,
                   .ok = count(Verdict::kOk),
                   .wrong = count(Verdict::kWrong),
                   .shed = count(Verdict::kShed),
                   .deadline_missed = count(Verdict::kDeadlineMissed),
                   .errors = count(Verdict::kError),
                   .transport_errors = count(Verdict::kTransportError),
                   .unanswered = count(Verdict::kUnanswered),
                   .generator_limited = count(Verdict::kGeneratorLimited)};
    for (std::size_t code = 0; code < kCodes; ++code) {
      if (cells.codes[code] > 0) part.counts.statuses[static_cast<int>(code)] = cells.codes[code];
    }
    part.latency = ToLoadHistogram(cells.latency);
    latency.Merge(cells.latency);
    AddTo(result.counts, part.counts);
    result.payloads.push_back(std::move(part));
  }
  result.latency = ToLoadHistogram(latency);
  result.latency_from_send = ToLoadHistogram(latency_from_send_);
  result.shed_latency = ToLoadHistogram(shed_latency_);
  result.schedule_error = ToLoadHistogram(schedule_error_);
  result.seconds = seconds_;
  result.examples = examples_;
}

LoadHistogram ToLoadHistogram(const Histogram& histogram) {
  return {.count = histogram.count(),
          .mean_us = histogram.mean() / 1e3,
          .min_us = Microseconds(histogram.min()),
          .max_us = Microseconds(histogram.max()),
          .buckets = BucketsOf(histogram)};
}

}  // namespace penstock::load

namespace penstock {

double LoadHistogram::PercentileUs(double percent) const {
  if (count == 0) return 0;
  const double exact_rank = std::ceil(percent / 100 * static_cast<double>(count));
  const std::int64_t rank =
      std::clamp(static_cast<std::int64_t>(exact_rank), std::int64_t{1}, count);
  if (rank == count) return max_us;
  std::int64_t seen = 0;
  for (const LoadBucket& bucket : buckets) {
    seen += bucket.count;
    if (seen >= rank) return std::clamp(bucket.value_us, min_us, max_us);
  }
  return max_us;
}

}  // namespace penstock
