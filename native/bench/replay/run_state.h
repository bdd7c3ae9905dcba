// What all connections of one run share: the recorded request, the checker, the budget of requests
// and the measurement. One thread; time is a parameter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "replay/header_blocks.h"
#include "replay/reply_checker.h"

namespace penstock::bench {

// Replies inside the measured window.
struct Measurement {
  std::int64_t requests = 0;  // good ones
  std::int64_t errors = 0;
  std::string first_error;
  std::vector<std::uint32_t> latencies_ns;  // of good ones, cut at 4.29 s
  std::uint64_t received_bytes = 0;         // of DATA, or raw in TCP mode
};

class RunState final {
 public:
  RunState(HeaderList headers, std::vector<std::uint8_t> message, ReplyChecker::Options check,
           std::int64_t request_limit);

  // One more request may start. False when the limit is reached or the run is draining.
  bool TakeRequest();
  void Drain() { draining_ = true; }
  void StartMeasuring();

  // A request ended: `error` is empty for a good reply.
  void Completed(TimeNs latency, std::size_t reply_bytes, std::string_view error);

  // Good or bad, since the start: what the count mode and the stall guard look at.
  std::int64_t completed() const { return completed_; }
  // Errors outside the window count too: a run with any is not a result.
  std::int64_t errors_ever() const { return errors_ever_; }

  const HeaderList& headers() const { return headers_; }
  // gRPC prefix and message, as they travel in DATA.
  std::span<const std::uint8_t> body() const { return body_; }
  ReplyChecker& checker() { return checker_; }
  // Taken when the window ends; what completes later, while draining, is not in it.
  const Measurement& measurement() const { return measurement_; }
  void StopMeasuring() { measuring_ = false; }

 private:
  const HeaderList headers_;
  std::vector<std::uint8_t> body_;
  ReplyChecker checker_;
  std::int64_t request_limit_;  // 0: none
  std::int64_t taken_ = 0;
  std::int64_t completed_ = 0;
  std::int64_t errors_ever_ = 0;
  bool draining_ = false;
  bool measuring_ = false;
  Measurement measurement_;
};

}  // namespace penstock::bench
