// What the replay loop drives: one connection's protocol, as bytes in and bytes out. Two of them
// exist, HTTP/2 and raw TCP. Sans-I/O: no socket, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "replay/output_queue.h"
#include "replay/run_state.h"

namespace penstock::bench {

class ReplaySession {
 public:
  virtual ~ReplaySession() = default;

  // The connection stands. Queues what opens it.
  virtual void Start() = 0;
  // True once requests may start.
  virtual bool Ready() const = 0;
  // Starts requests on every free stream.
  virtual void FillStreams(TimeNs now) = 0;
  // Bytes came. Replies that end start new requests. False if the connection is beyond repair.
  virtual bool Receive(std::span<const std::uint8_t> bytes, TimeNs now) = 0;
  // The socket is gone: every request in flight is an error that says `why`.
  virtual void Lost(const std::string& why) = 0;

  virtual std::size_t InFlight() const = 0;
  // Requests in flight at once that the peer allows, at most what was asked for.
  virtual std::size_t StreamLimit() const = 0;
  // Why Receive returned false.
  virtual const std::string& Failure() const = 0;
  virtual OutputQueue& Output() = 0;
};

struct SessionOptions {
  std::size_t streams = 1;
  std::uint32_t max_frame_bytes = 16'384;  // that we announce
};

std::unique_ptr<ReplaySession> MakeHttp2Session(const SessionOptions& options, RunState& run);
std::unique_ptr<ReplaySession> MakeTcpSession(const SessionOptions& options, RunState& run);

}  // namespace penstock::bench
