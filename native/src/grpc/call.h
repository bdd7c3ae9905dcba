// One RPC: from its HEADERS to the last use of its memory. The loop's thread only.
//
//   receiving --message complete--> held by the method --Finish--> responding --> closed
//       |                               |      \--deadline / reset--> OnCancel --> Release
//       \--refused, deadline, reset-----+--> finished without the method
//
// Two owners must let go before a call is destroyed: the HTTP/2 stream (OnStreamClosed, or the
// connection's end) and the method that holds it (Finish or Release). Whatever happens, Conclude
// runs exactly once: a call accepted is a call counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/buffer.h"
#include "base/byte_queue.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/timer_wheel.h"
#include "grpc/byte_budget.h"
#include "grpc/method.h"
#include "http2/connection.h"

namespace penstock::grpc {

struct CallContext;
class ServerConnection;

inline constexpr std::size_t kMessagePrefixSize = 5;

class Call final : public http2::Stream, public Timer, public BudgetWaiter, public ListLink<Call> {
 public:
  // Lives in the context's block pool, until both owners have let go.
  static Call* Create(CallContext& context, ServerConnection& connection, http2::StreamId id);

  // --- for methods ---

  // From grpc-timeout, or what TightenDeadline set; kNever without one.
  TimeNs deadline() const { return deadline_; }
  // The call ends at `deadline` if that is earlier than its own.
  void TightenDeadline(TimeNs deadline);
  // Equal for all calls from one address.
  std::uint64_t client() const;
  // Memory that the method needs beside the message, given back with the call. RESOURCE_EXHAUSTED
  // where the loop's byte budget has no room for it.
  Status ReserveMore(std::size_t bytes);
  // Told with the status when the call ends: when the client should come back. Before Finish, or
  // before OnMessageBegin returns its error.
  void SetRetryAfter(TimeNs retry_after);
  // When the last event of its connection came, such as its own message.
  TimeNs now() const;
  // The method's own state of this call; it sets and frees it.
  void set_method_state(void* state) { method_state_ = state; }
  void* method_state() const { return method_state_; }
  // True once the answer cannot reach anyone any more.
  bool concluded() const { return concluded_; }
  // With what it was, then.
  StatusCode conclusion() const { return status_code_; }

  // A reply message: write exactly `size` bytes in all (Extend, Append, AppendBorrowed) to the
  // queue returned, before anything else.
  ByteQueue& BeginMessage(std::size_t size);
  // Sends what a streaming method has written so far.
  void Flush();
  // Ends the call. Nothing may be called afterwards: the call may be gone.
  void Finish(const Status& status);
  // After OnCancel: the method no longer uses the call. The call may be gone.
  void Release();

  // --- http2::Stream ---
  std::size_t BodyAvailable() const override { return body_.pending_bytes(); }
  bool BodyEnds() const override { return concluded_; }
  void TakeBody(std::size_t n, ByteQueue& output) override;
  std::span<const http2::Header> Trailers() override;
  std::span<std::byte> ReceiveTarget() override;

  // --- BudgetWaiter, Timer ---
  std::size_t wanted_bytes() const override { return message_length_; }
  void OnReserved() override;
  void OnTimer(TimeNs now) override;

 private:
  Call(CallContext& context, ServerConnection& connection, http2::StreamId id);
  ~Call() = default;
  friend class ServerConnection;

  // Called by the connection as the peer's side of the call arrives.
  void OnHeader(std::string_view name, std::string_view value);
  void OnHeadersEnd();
  void OnData(std::span<const std::byte> data);
  void OnPeerClosed();
  // The stream ended, or its connection did.
  void OnStreamGone();
  // Answers whether the request message arrives at a fair pace.
  bool ReceivesTooSlowly(TimeNs now, TimeNs grace) const;
  bool SendsNothingSince(TimeNs time) const;

  bool CheckHeaders();
  void Shed();
  void OnPrefix(std::span<const std::byte> rest);
  void OnMessageComplete();
  void Conclude(StatusCode code);
  void Respond(const Status& status);
  void Refuse(const Status& status);
  void RespondPlain(std::string_view http_status);
  void CancelMethod();
  void DestroyIfDone();

  CallContext& context_;
  ServerConnection* connection_;  // null once the connection is gone
  const http2::StreamId id_;
  Method* method_ = nullptr;
  void* method_state_ = nullptr;
  TimeNs deadline_ = kNever;

  // Request headers.
  enum class HttpMethod : std::uint8_t { kNone, kPost, kGet, kOther };
  HttpMethod http_method_ = HttpMethod::kNone;
  bool grpc_content_type_ = false;
  bool timeout_malformed_ = false;
  bool request_encoded_ = false;  // grpc-encoding names more than identity
  TimeNs timeout_ = kNever;

  // Life cycle.
  bool stream_open_ = true;
  bool accepted_ = false;
  bool held_ = false;    // by the method
  bool pinned_ = false;  // by OnTimer or OnStreamGone, further up the stack
  bool peer_closed_ = false;
  bool headers_sent_ = false;
  bool concluded_ = false;

  // The request message being received.
  std::array<std::byte, kMessagePrefixSize> prefix_{};
  std::size_t prefix_have_ = 0;
  std::size_t message_length_ = 0;
  std::size_t reserved_bytes_ = 0;
  bool message_complete_ = false;
  Buffer message_;
  TimeNs receiving_since_ = 0;

  // The reply.
  ByteQueue body_;
  TimeNs sent_at_ = 0;
  StatusCode status_code_ = StatusCode::kOk;
  std::string status_text_;
  std::string encoded_message_;
  std::array<char, 12> retry_pushback_{};  // milliseconds, in decimal
  std::size_t retry_pushback_size_ = 0;
  std::array<http2::Header, 4> trailers_;
};

}  // namespace penstock::grpc
