// The client side of one h2c connection, as little of it as gRPC servers make necessary: it parses
// frame headers, counts DATA and looks at header blocks only where they are new. See session.h.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "replay/frames.h"
#include "replay/header_blocks.h"
#include "replay/session.h"

namespace penstock::bench {

class Http2Session final : public ReplaySession {
 public:
  Http2Session(const SessionOptions& options, RunState& run);

  void Start() override;
  bool Ready() const override { return settings_seen_; }
  void FillStreams(TimeNs now) override;
  bool Receive(std::span<const std::uint8_t> bytes, TimeNs now) override;
  void Lost(const std::string& why) override;
  std::size_t InFlight() const override { return in_flight_; }
  std::size_t StreamLimit() const override;
  const std::string& Failure() const override { return failure_; }
  OutputQueue& Output() override { return output_; }

 private:
  struct Stream {
    TimeNs started = 0;
    std::size_t unsent = 0;  // bytes of the body
    std::int64_t send_window = 0;
    bool answered = false;  // response headers with :status 200 came
    ReplyProgress reply;
  };

  // Sending.
  void StartRequest(std::size_t index, TimeNs now);
  void AppendSmallRequest(std::uint32_t id, std::size_t index);
  void Pump(std::size_t index);
  void PumpAll();
  void AppendFrame(const FrameHeader& frame, std::span<const std::uint8_t> payload);

  // Receiving. Those that return bool set failure_ before they return false.
  bool OnFrameHeader();
  bool OnData(std::span<const std::uint8_t> bytes);
  bool OnDataEnd(TimeNs now);
  bool OnFrame(std::span<const std::uint8_t> payload, TimeNs now);
  bool OnHeaders(std::span<const std::uint8_t> payload, TimeNs now);
  bool OnBlock(std::span<const std::uint8_t> block, TimeNs now);
  bool OnSettings(std::span<const std::uint8_t> payload, TimeNs now);
  bool OnWindowUpdate(std::span<const std::uint8_t> payload);
  void OnReset(std::span<const std::uint8_t> payload, TimeNs now);
  void OnGoAway(std::span<const std::uint8_t> payload);
  void Finish(std::size_t index, std::string_view error, TimeNs now);
  bool Fail(std::string what);

  // The index of the stream with this id, or ids_.size().
  std::size_t Find(std::uint32_t id);

  RunState& run_;
  const SessionOptions options_;
  OutputQueue output_;
  RequestHeaders request_headers_;
  ReplyHeaders reply_headers_;
  std::vector<std::uint8_t> request_image_;  // HEADERS and DATA of a small request, once constant

  std::vector<std::uint32_t> ids_;  // by index; 0: free
  std::vector<Stream> streams_;
  std::size_t in_flight_ = 0;
  std::size_t likely_ = 0;  // replies mostly come in order: where the next is looked for first
  std::uint32_t next_id_ = 1;
  bool goaway_ = false;

  bool settings_seen_ = false;
  std::size_t peer_streams_ = std::numeric_limits<std::size_t>::max();
  std::uint32_t peer_max_frame_ = kDefaultMaxFrame;
  std::int64_t peer_initial_window_ = kDefaultWindow;
  std::int64_t send_window_ = kDefaultWindow;  // of the connection
  std::size_t to_grant_ = 0;                   // received, not yet given back to the peer

  // Position in the input: inside a frame if in_frame_, else in a frame header.
  bool in_frame_ = false;
  std::size_t header_have_ = 0;
  std::uint8_t header_bytes_[kFrameHeaderBytes];
  FrameHeader frame_;
  std::size_t payload_left_ = 0;
  std::size_t data_stream_ = 0;         // index of the stream of a DATA frame
  std::vector<std::uint8_t> payload_;   // of a frame that came in pieces
  std::vector<std::uint8_t> fragment_;  // of a header block over several frames
  FrameHeader block_frame_;             // the HEADERS frame that fragment_ began with
  std::string failure_;
};

}  // namespace penstock::bench
