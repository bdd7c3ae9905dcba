// PURE. Everything a run counts and times, by payload and by second; builds the LoadResult from
// it. Time is a parameter. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <penstock/load.h>

#include "base/clock.h"
#include "base/histogram.h"

namespace penstock::load {

// How a call ended: every measured call gets exactly one of these.
enum class Verdict : std::uint8_t {
  kOk,
  kWrong,
  kShed,
  kDeadlineMissed,
  kError,
  kTransportError,
  kUnanswered,
  kGeneratorLimited,
};
inline constexpr std::size_t kVerdictCount = 8;

class Recorder final {
 public:
  Recorder(std::size_t payloads, bool keep_second_buckets);

  // The schedule begins. Before it nothing is recorded.
  void Begin(TimeNs start);
  // Closes the seconds that have passed. Calls come in the order of their due times.
  void Advance(TimeNs now);

  void Offered(std::size_t payload);
  void Sent(std::size_t payload);
  // For an open loop only: a closed one has no schedule.
  void ScheduleError(TimeNs error) { schedule_error_.Record(error); }

  struct End {
    std::size_t payload = 0;
    Verdict verdict = Verdict::kOk;
    int code = -1;        // gRPC status, where there was one
    TimeNs latency = -1;  // from due; negative: not recorded
    TimeNs latency_from_send = -1;
    TimeNs shed_latency = -1;
    TimeNs at = 0;
  };
  void Ended(const End& end);
  // Why a call failed.
  void Example(std::string_view text);

  // Closes the second that has begun.
  void Finish(TimeNs now);

  std::int64_t offered() const { return offered_; }
  std::int64_t ok() const { return ok_; }
  std::int64_t failed() const { return failed_; }
  std::int64_t in_flight() const { return offered_ - ok_ - failed_; }
  // When the last measured call ended; the start where none has.
  TimeNs last_end() const { return last_end_; }
  const std::vector<LoadSecond>& seconds() const { return seconds_; }

  // Adds counts, histograms, seconds and examples to `result`.
  void Report(LoadResult& result) const;

 private:
  static constexpr std::size_t kCodes = 17;
  struct PayloadCells {
    std::int64_t offered = 0;
    std::int64_t sent = 0;
    std::array<std::int64_t, kVerdictCount> verdicts{};
    std::array<std::int64_t, kCodes> codes{};
    Histogram latency;
  };
  void CloseSecond();

  const bool keep_second_buckets_;
  std::vector<PayloadCells> payloads_;
  Histogram latency_from_send_;
  Histogram shed_latency_;
  Histogram schedule_error_;
  std::int64_t offered_ = 0;
  std::int64_t ok_ = 0;
  std::int64_t failed_ = 0;
  TimeNs last_end_ = 0;
  TimeNs second_end_ = kNever;
  LoadSecond second_;
  Histogram second_latency_;
  std::vector<LoadSecond> seconds_;
  std::vector<LoadFailureExample> examples_;
};

LoadHistogram ToLoadHistogram(const Histogram& histogram);

}  // namespace penstock::load
