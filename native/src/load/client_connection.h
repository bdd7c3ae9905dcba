// Unary gRPC calls over one HTTP/2 connection, from the client's side. Sans-I/O: bytes in, bytes
// out, time as a parameter. The loop's thread only.
//
//   call:  idle --Start--> waiting --answer, failure or Cancel--> ended (OnCallEnd, once)
//                                                                    \--> free (OnCallFree)
//
// Between ended and free, HTTP/2 may still refer to the call; after OnCallFree nothing does.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/block_pool.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/timer_wheel.h"
#include "http2/connection.h"

namespace penstock::load {

class ClientCall;
class ClientConnection;
class ClientSocket;

inline constexpr std::size_t kMessagePrefixSize = 5;

// How a call ended. The texts live during OnCallEnd.
struct CallOutcome {
  // The server's gRPC status; -1 where none came, and then `text` says why.
  int code = -1;
  std::string_view text;               // grpc-message as it was sent, or what went wrong
  std::span<const std::byte> message;  // the answer, where the code is 0
};

class CallEvents {
 public:
  virtual void OnCallEnd(ClientCall& call, const CallOutcome& outcome) = 0;
  virtual void OnCallFree(ClientCall& call) = 0;
  // The call's timer fired.
  virtual void OnCallTimer(ClientCall& call, TimeNs now) = 0;

 protected:
  ~CallEvents() = default;
};

class ClientCall final : public http2::Stream, public Timer, public ListLink<ClientCall> {
 public:
  explicit ClientCall(CallEvents& events) : events_(events) {}

  // What its user knows about it.
  struct Notes {
    TimeNs due = 0;
    TimeNs sent = 0;
    TimeNs deadline = kNever;
    std::uint32_t payload = 0;
    std::uint32_t message = 0;
    std::uint32_t slot = 0;
    ClientSocket* socket = nullptr;
    bool measured = false;
  };
  Notes notes;

  // Null before Start and once free.
  ClientConnection* connection() const { return connection_; }

  // --- http2::Stream ---
  std::size_t BodyAvailable() const override { return body_.size(); }
  bool BodyEnds() const override { return true; }
  void TakeBody(std::size_t n, ByteQueue& output) override;
  std::span<const http2::Header> Trailers() override { return {}; }
  std::span<std::byte> ReceiveTarget() override;

  void OnTimer(TimeNs now) override { events_.OnCallTimer(*this, now); }

 private:
  friend class ClientConnection;
  void Reset(ClientConnection& connection, std::span<const std::byte> body);
  void OnHeader(std::string_view name, std::string_view value);
  void OnData(std::span<const std::byte> data, BufferPool& buffers);
  std::string_view Fault() const;

  CallEvents& events_;
  ClientConnection* connection_ = nullptr;
  http2::StreamId id_ = 0;
  std::span<const std::byte> body_;  // what is left to send
  bool ended_ = false;

  // The answer.
  int http_status_ = 0;
  int grpc_status_ = -1;
  bool grpc_content_type_ = false;
  bool excess_ = false;  // more than one message
  std::string grpc_message_;
  std::array<std::byte, kMessagePrefixSize> prefix_{};
  std::size_t prefix_have_ = 0;
  std::size_t message_length_ = 0;
  Buffer message_;
};

class ClientConnection final : private http2::StreamEvents {
 public:
  // All outlive the connection.
  ClientConnection(BlockPool& blocks, BufferPool& buffers);
  ~ClientConnection();

  // Sends `body` (a prefixed message). Headers and body live until the call is free. False: the
  // connection takes no call any more, and nothing has happened.
  bool Start(ClientCall& call, std::span<const http2::Header> headers,
             std::span<const std::byte> body);
  // The call is given up: it ends without OnCallEnd.
  void Cancel(ClientCall& call);
  // The transport is gone: ends and frees every call.
  void Lose(std::string_view why);

  std::span<const iovec> ReceiveSpace() { return http2_.ReceiveSpace(); }
  Status Received(std::size_t n, TimeNs now);
  void Pump() { http2_.Pump(); }
  ByteQueue& output() { return http2_.output(); }

  // Time of the bytes being worked off.
  TimeNs now() const { return now_; }
  // The server has said that it speaks HTTP/2.
  bool ready() const { return http2_.settings_received(); }
  bool takes_calls() const { return ready() && http2_.CanSubmitRequest(); }
  // Nothing will be received or sent any more.
  bool done() const { return http2_.Done(); }
  // Not free yet.
  std::size_t calls() const { return calls_count_; }
  std::uint32_t streams_max() const { return http2_.peer_streams_max(); }

 private:
  http2::Stream* OnStreamBegin(http2::StreamId id) override;
  void OnHeader(http2::Stream& stream, std::string_view name, std::string_view value) override;
  void OnHeadersEnd(http2::Stream& stream) override;
  void OnData(http2::Stream& stream, std::span<const std::byte> data) override;
  void OnEndStream(http2::Stream& stream) override;
  void OnStreamClosed(http2::Stream& stream, http2::ErrorCode code) override;

  void End(ClientCall& call, const CallOutcome& outcome);
  void Free(ClientCall& call);

  BufferPool& buffers_;
  http2::Connection http2_;
  IntrusiveList<ClientCall, ClientCall> calls_;
  std::size_t calls_count_ = 0;
  TimeNs now_ = 0;
};

}  // namespace penstock::load
