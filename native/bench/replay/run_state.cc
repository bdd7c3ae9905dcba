// See run_state.h.
#include "replay/run_state.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "replay/frames.h"

namespace penstock::bench {

RunState::RunState(HeaderList headers, std::vector<std::uint8_t> message,
                   ReplyChecker::Options check, std::int64_t request_limit)
    : headers_(std::move(headers)),
      body_(kGrpcPrefixBytes + message.size()),
      checker_(std::move(check)),
      request_limit_(request_limit) {
  Put32(body_.data() + 1, static_cast<std::uint32_t>(message.size()));
  std::copy(message.begin(), message.end(), body_.begin() + kGrpcPrefixBytes);
}

bool RunState::TakeRequest() {
  if (draining_ || (request_limit_ > 0 && taken_ == request_limit_)) return false;
  ++taken_;
  return true;
}

void RunState::StartMeasuring() {
  constexpr std::size_t kExpectedMax = 1 << 21;  // a few seconds of a fast server: 8 MB
  measurement_.latencies_ns.reserve(kExpectedMax);
  measuring_ = true;
}

void RunState::Completed(TimeNs latency, std::size_t reply_bytes, std::string_view error) {
  ++completed_;
  if (!error.empty()) {
    ++errors_ever_;
    if (measurement_.first_error.empty()) measurement_.first_error = error;
  }
  if (!measuring_) return;
  if (!error.empty()) {
    ++measurement_.errors;
    return;
  }
  ++measurement_.requests;
  measurement_.received_bytes += reply_bytes;
  constexpr TimeNs kLatencyMax = std::numeric_limits<std::uint32_t>::max();
  measurement_.latencies_ns.push_back(static_cast<std::uint32_t>(std::min(latency, kLatencyMax)));
}

}  // namespace penstock::bench
