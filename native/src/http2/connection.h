// One HTTP/2 connection over nghttp2, server or client role, without a socket and without a clock.
//
//   bytes in:  ReceiveSpace() -> the caller reads into it -> Received(n, now)
//   bytes out: Pump() -> output() holds slices -> the caller writes -> output().Sent(n)
//
// DATA payload of a large message is received straight into the buffer that StreamEvents offers;
// large replies leave from their owner's memory. nghttp2 owns frames, HPACK and flow control; this
// class bounds what nghttp2 leaves open. The loop's thread only.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/block_pool.h"
#include "base/byte_queue.h"
#include "base/clock.h"
#include "base/status.h"
#include "http2/frame_scanner.h"

struct nghttp2_session;

namespace penstock::http2 {

using StreamId = std::int32_t;

// Error codes that we send or look at (RFC 9113 section 7).
enum class ErrorCode : std::uint32_t {
  kNoError = 0x0,
  kProtocolError = 0x1,
  kInternalError = 0x2,
  kRefusedStream = 0x7,
  kCancel = 0x8,
  kEnhanceYourCalm = 0xb,
};

struct Header {
  std::string_view name;  // lower case
  std::string_view value;
};

// The user's state of one stream; owned by whoever implements StreamEvents.
class Stream {
 public:
  // The body that we send: a server's response, a client's request. How many bytes can be sent now.
  virtual std::size_t BodyAvailable() const = 0;
  // True once nothing will follow what is available now.
  virtual bool BodyEnds() const = 0;
  // Moves exactly `n` <= BodyAvailable() bytes to `output`.
  virtual void TakeBody(std::size_t n, ByteQueue& output) = 0;
  // Sent after the body; valid once BodyEnds. None: the body ends the stream.
  virtual std::span<const Header> Trailers() = 0;
  // Where payload to come may be received, "" where the shared buffer serves.
  virtual std::span<std::byte> ReceiveTarget() = 0;

 protected:
  ~Stream() = default;
};

// Called from inside Received and Pump. Must not call Received, Pump or destroy the connection;
// the Submit functions are fine.
class StreamEvents {
 public:
  // A request begins (server role). Null refuses it (REFUSED_STREAM): the peer may retry.
  virtual Stream* OnStreamBegin(StreamId id) = 0;
  virtual void OnHeader(Stream& stream, std::string_view name, std::string_view value) = 0;
  // All headers of the request are there; a request's trailers are not reported. Client role: a
  // block of the response is complete, headers or trailers.
  virtual void OnHeadersEnd(Stream& stream) = 0;
  // Valid during the call; lies inside ReceiveTarget() where it was received there.
  virtual void OnData(Stream& stream, std::span<const std::byte> data) = 0;
  virtual void OnEndStream(Stream& stream) = 0;
  // The last call for this stream.
  virtual void OnStreamClosed(Stream& stream, ErrorCode code) = 0;

 protected:
  ~StreamEvents() = default;
};

enum class Role : std::uint8_t { kServer, kClient };

struct Limits {
  std::uint32_t max_concurrent_streams = 1024;
  // Decoded header list, name + value + 32 bytes for each field, and the number of fields.
  std::size_t header_list_bytes_max = std::size_t{16} << 10;
  int header_fields_max = 100;
};

class Connection final {
 public:
  // Every stream may send this much before a window is granted to it: the largest message that
  // needs no reservation.
  static constexpr std::int32_t kInitialStreamWindow = 64 << 10;
  // Consumed at once, so it only bounds what is under way between peer and us.
  static constexpr std::int32_t kConnectionWindow = 16 << 20;
  // Past this much unsent output nothing more is framed, and the caller should stop reading.
  static constexpr std::size_t kOutputHighWater = std::size_t{256} << 10;

  static constexpr std::size_t kRequestHeadersMax = 64;

  // `memory` serves nghttp2's allocations; it outlives the connection.
  Connection(const Limits& limits, StreamEvents& events, BlockPool& memory,
             Role role = Role::kServer);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // Where the next bytes go: one or two pieces, to be filled in order.
  std::span<const iovec> ReceiveSpace();
  // Whether the space is the connection's own buffer: fewer bytes may be read there, at no cost.
  bool in_shared_buffer() const { return space_[0].iov_base == buffer_.get(); }
  // `n` bytes were read into the space. An error means the connection must end: write what is left
  // of output (a GOAWAY) and close; no byte may be given any more.
  Status Received(std::size_t n, TimeNs now);

  // Frames what is ready to be sent into output(), up to kOutputHighWater.
  void Pump();
  ByteQueue& output() { return output_; }
  // Nothing will be received or sent any more.
  bool Done() const;
  // An unfinished header block, preface or control frame is pending.
  bool in_control() const { return scanner_.in_control(); }
  std::uint64_t frames_received() const { return scanner_.frames(); }

  // Response headers, then the stream's body and trailers as they become available. The texts of
  // headers and trailers are not copied: they live until the stream is closed.
  void SubmitResponse(StreamId id, std::span<const Header> headers, Stream& stream);
  // Client role: headers, then the stream's body. The headers' texts live until the stream is
  // closed. Past the peer's limit of streams it waits inside. 0: the connection takes no request
  // any more.
  StreamId SubmitRequest(std::span<const Header> headers, Stream& stream);
  bool CanSubmitRequest() const;
  // The peer's SETTINGS are there: its limits are known.
  bool settings_received() const { return settings_received_; }
  std::uint32_t peer_streams_max() const;
  // Headers that also end the response.
  void SubmitHeadersOnly(StreamId id, std::span<const Header> headers);
  // The body has grown or ended.
  void ResumeBody(StreamId id);
  void Reset(StreamId id, ErrorCode code);
  // Lets the peer send a message of `bytes` on this stream without waiting.
  void GrantWindow(StreamId id, std::size_t bytes);
  // Bytes of this stream were worked off: they are granted anew (streaming calls).
  void ConsumeStream(StreamId id, std::size_t bytes);

  // Graceful end: the peer is asked to open no more streams, and later told which was the last.
  void BeginShutdown();
  void FinishShutdown();
  // GOAWAY with an error; nothing is received any more.
  void Terminate(ErrorCode code);

 private:
  friend struct Callbacks;
  Status Feed(std::span<const std::byte> bytes, TimeNs now);
  Stream* Find(StreamId id);
  void Remember(StreamId id, Stream* stream);

  const Limits limits_;
  const Role role_;
  StreamEvents& events_;
  FrameScanner scanner_;
  nghttp2_session* session_ = nullptr;
  ByteQueue output_;
  std::unique_ptr<std::byte[]> buffer_;
  std::array<iovec, 2> space_{};
  StreamId recent_id_ = 0;
  Stream* recent_stream_ = nullptr;
  // DATA payload received and not yet told to nghttp2 as consumed.
  std::size_t consumed_bytes_ = 0;
  // Of the header block being decoded; its stream is null where it is refused, or a request's
  // trailers.
  Stream* header_stream_ = nullptr;
  std::size_t header_list_bytes_ = 0;
  int header_fields_ = 0;
  bool header_list_refused_ = false;
  bool settings_received_ = false;
};

}  // namespace penstock::http2
