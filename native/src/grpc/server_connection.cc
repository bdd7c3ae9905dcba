#include "grpc/server_connection.h"

namespace penstock::grpc {
namespace {

http2::Limits Http2Limits(const CallLimits& limits) {
  return {.max_concurrent_streams = limits.max_concurrent_streams};
}

// Every stream of a ServerConnection is a Call.
Call& CallOf(http2::Stream& stream) {
  return static_cast<Call&>(stream);
}

}  // namespace

ServerConnection::ServerConnection(CallContext& context, ConnectionHost& host, TimeNs now)
    : context_(context),
      host_(host),
      now_(now),
      http2_(Http2Limits(context.limits), *this, context.blocks),
      control_since_(now) {}

ServerConnection::~ServerConnection() {
  // First of all, so that what one call releases lets in no other one of this connection.
  for (Call* call = calls_.front(); call != nullptr; call = calls_.Next(*call)) {
    static_cast<ListLink<BudgetWaiter>&>(*call).Unlink();
  }
  while (Call* call = calls_.PopFront()) {
    call->connection_ = nullptr;
    call->OnStreamGone();
  }
}

Status ServerConnection::Received(std::size_t n, TimeNs now) {
  now_ = now;
  const std::uint64_t frames_before = http2_.frames_received();
  RETURN_IF_ERROR(http2_.Received(n, now));
  if (!http2_.in_control()) {
    control_since_ = kNever;
  } else if (control_since_ == kNever || http2_.frames_received() != frames_before) {
    control_since_ = now;
  }
  return {};
}

Status ServerConnection::CheckTimeouts(TimeNs now) {
  now_ = now;
  if (control_since_ != kNever && now - control_since_ > context_.limits.header_timeout) {
    http2_.Terminate(http2::ErrorCode::kEnhanceYourCalm);
    return DeadlineExceeded("handshake, header block or control frame left unfinished");
  }
  for (Call* call = calls_.front(); call != nullptr;) {
    Call* next = calls_.Next(*call);
    if (call->ReceivesTooSlowly(now, context_.limits.body_timeout)) {
      call->Refuse(DeadlineExceeded("the request message arrives too slowly"));
    } else if (call->SendsNothingSince(now - context_.limits.write_stall_timeout)) {
      http2_.Reset(call->id_, http2::ErrorCode::kCancel);
      host_.OnOutput();
    }
    call = next;
  }
  return {};
}

void ServerConnection::BeginShutdown() {
  http2_.BeginShutdown();
  host_.OnOutput();
}

void ServerConnection::FinishShutdown() {
  http2_.FinishShutdown();
  host_.OnOutput();
}

http2::Stream* ServerConnection::OnStreamBegin(http2::StreamId id) {
  // nghttp2 forgets a stream when it is reset, but the work behind it goes on: what is alive is
  // counted here, so that opening and resetting streams buys no more work than leaving them open.
  if (calls_alive_ >= context_.limits.max_concurrent_streams) return nullptr;
  ++calls_alive_;
  Call* call = Call::Create(context_, *this, id);
  calls_.PushBack(*call);
  return call;
}

void ServerConnection::OnHeader(http2::Stream& stream, std::string_view name,
                                std::string_view value) {
  CallOf(stream).OnHeader(name, value);
}

void ServerConnection::OnHeadersEnd(http2::Stream& stream) {
  CallOf(stream).OnHeadersEnd();
}

void ServerConnection::OnData(http2::Stream& stream, std::span<const std::byte> data) {
  CallOf(stream).OnData(data);
}

void ServerConnection::OnEndStream(http2::Stream& stream) {
  CallOf(stream).OnPeerClosed();
}

void ServerConnection::OnStreamClosed(http2::Stream& stream, http2::ErrorCode /*code*/) {
  CallOf(stream).OnStreamGone();
}

}  // namespace penstock::grpc
