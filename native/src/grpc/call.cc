#include "grpc/call.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "base/strings.h"
#include "grpc/server_connection.h"
#include "grpc/text.h"

namespace penstock::grpc {
namespace {

using http2::Header;

constexpr Header kContentType = {"content-type", "application/grpc"};
constexpr Header kAcceptIdentity = {"grpc-accept-encoding", "identity"};
// A peer's length prefix buys this much memory at once; more comes as the bytes come.
constexpr std::size_t kFirstAllocationMax = std::size_t{1} << 20;
// Past this much reply that a streaming peer leaves unread, it may ask no more: a short question
// can have a long answer.
constexpr std::size_t kUnreadRepliesMax = std::size_t{1} << 20;

std::size_t LengthOf(const std::array<std::byte, kMessagePrefixSize>& prefix) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < prefix.size(); ++i) {
    length = (length << 8) | std::to_integer<std::size_t>(prefix[i]);
  }
  return length;
}

Status BudgetFull() {
  return ResourceExhausted("the server holds as many request bytes as it may");
}

}  // namespace

Call* Call::Create(CallContext& context, ServerConnection& connection, http2::StreamId id) {
  return new (context.blocks.Allocate(sizeof(Call))) Call(context, connection, id);
}

Call::Call(CallContext& context, ServerConnection& connection, http2::StreamId id)
    : context_(context), connection_(&connection), id_(id) {
  if (context.free_bodies.empty()) return;
  body_ = std::move(context.free_bodies.back());
  context.free_bodies.pop_back();
}

// ---- the request's side ----

void Call::OnHeader(std::string_view name, std::string_view value) {
  if (name == ":path") {
    method_ = context_.router.Find(value);
    if (method_ == nullptr) status_text_ = Printable(value);
  } else if (name == ":method") {
    http_method_ = value == "POST"  ? HttpMethod::kPost
                   : value == "GET" ? HttpMethod::kGet
                                    : HttpMethod::kOther;
  } else if (name == "content-type") {
    grpc_content_type_ = IsGrpcContentType(value);
  } else if (name == "grpc-timeout") {
    const std::optional<TimeNs> timeout = ParseTimeout(value);
    timeout_malformed_ = !timeout.has_value();
    timeout_ = timeout.value_or(kNever);
  } else if (name == "grpc-encoding") {
    request_encoded_ = value != "identity";
  }
}

void Call::OnHeadersEnd() {
  if (!CheckHeaders()) return;
  accepted_ = true;
  context_.cells.Add(metrics::Counter::kCallsAccepted);
  receiving_since_ = connection_->now_;
  if (method_ == nullptr) {
    Respond(Unimplemented(StrCat("method '", status_text_, "' is not served here")));
  } else if (timeout_malformed_) {
    Respond(InvalidArgument("grpc-timeout: expected 1 to 8 digits and one of H M S m u n"));
  } else if (connection_->overload_wait_ > 0 && method_->sheddable()) {
    Shed();
  } else if (timeout_ != kNever) {
    deadline_ = AddSaturated(connection_->now_, timeout_);
    context_.timers.Arm(*this, deadline_);
  }
}

// The message, whatever of it is there or yet to come, is skipped.
void Call::Shed() {
  const TimeNs wait = connection_->overload_wait_;
  context_.cells.Add(metrics::Counter::kCallsShed);
  // Spread by a fifth up and down, or the refused would all come back at once.
  SetRetryAfter(wait * 4 / 5 + wait * 2 / 5 * (id_ / 2 % 32) / 32);
  Respond(ResourceExhausted(StrCat("the server is overloaded: requests wait for ",
                                   wait / kMillisecond, " ms before they are read")));
}

// What is not gRPC gets HTTP's own answers, and is not counted as a call.
bool Call::CheckHeaders() {
  if (http_method_ == HttpMethod::kPost && grpc_content_type_) return true;
  if (http_method_ == HttpMethod::kPost) {
    RespondPlain("415");
  } else {
    RespondPlain(http_method_ == HttpMethod::kGet ? "404" : "405");
  }
  return false;
}

void Call::OnData(std::span<const std::byte> data) {
  // A streaming message has its bytes reserved or is refused: what came is granted anew at once, or
  // one larger than the window's rest would never arrive.
  if (!concluded_ && method_->streaming()) connection_->http2_.ConsumeStream(id_, data.size());
  while (!data.empty() && !concluded_) {
    if (message_complete_) {
      // Only a streaming method takes the next message; OnMessageComplete has reset for it.
      Refuse(Internal("a unary call carries more than one request message"));
      return;
    }
    if (prefix_have_ < kMessagePrefixSize) {
      if (prefix_have_ == 0) receiving_since_ = connection_->now_;
      const std::size_t part = std::min(kMessagePrefixSize - prefix_have_, data.size());
      std::memcpy(prefix_.data() + prefix_have_, data.data(), part);
      prefix_have_ += part;
      data = data.subspan(part);
      if (prefix_have_ < kMessagePrefixSize) return;
      OnPrefix(data);
      if (concluded_) return;
    }
    const std::size_t part = std::min(message_length_ - message_.size(), data.size());
    if (message_.size() + part > message_.capacity()) {
      context_.buffers.Grow(message_, std::min(message_length_, 2 * (message_.size() + part)));
    }
    std::byte* end = message_.data() + message_.size();
    // Received in place already, where ReceiveTarget was used.
    if (data.data() != end) std::memcpy(end, data.data(), part);
    message_.set_size(message_.size() + part);
    data = data.subspan(part);
    if (message_.size() == message_length_) OnMessageComplete();
  }
}

void Call::OnPrefix(std::span<const std::byte> rest) {
  message_length_ = LengthOf(prefix_);
  if (prefix_[0] != std::byte{0}) {
    Refuse(request_encoded_
               ? Unimplemented("compressed request messages are not supported; send identity")
               : Internal("a compressed message without grpc-encoding"));
    return;
  }
  if (message_length_ > context_.limits.message_bytes_max) {
    Refuse(ResourceExhausted(StrCat("request message of ", message_length_,
                                    " bytes; max_message_bytes is ",
                                    context_.limits.message_bytes_max)));
    return;
  }
  const std::span<const std::byte> head = rest.first(std::min(rest.size(), message_length_));
  Result<MessagePlan> plan = method_->OnMessageBegin(*this, message_length_, head);
  if (!plan.ok()) {
    Refuse(plan.status());
    return;
  }
  const bool fits_window =
      message_length_ + kMessagePrefixSize <= http2::Connection::kInitialStreamWindow;
  if (context_.budget.TryReserve(message_length_)) {
    OnReserved();
  } else if (fits_window || method_->streaming()) {
    // The peer has sent it already: it cannot wait outside.
    Refuse(BudgetFull());
    return;
  } else {
    context_.budget.Wait(*this);
  }
  message_ = context_.buffers.Get(
      std::min(std::max(message_length_, std::size_t{1}), kFirstAllocationMax), plan->aligned_at);
}

void Call::OnReserved() {
  reserved_bytes_ = message_length_;
  receiving_since_ = connection_->now_;
  const std::size_t window = message_length_ + kMessagePrefixSize;
  const bool needs_window =
      window > http2::Connection::kInitialStreamWindow && !method_->streaming();
  if (needs_window && stream_open_) {
    connection_->http2_.GrantWindow(id_, window);
    connection_->host_.OnOutput();
  }
}

std::span<std::byte> Call::ReceiveTarget() {
  if (concluded_ || message_complete_ || !message_.valid()) return {};
  // Grown here as well as in OnData, or a large message would be received in place only at first.
  if (message_.tail().empty() && message_.size() < message_length_) {
    context_.buffers.Grow(message_, std::min(message_length_, 2 * message_.size()));
  }
  const std::size_t left = message_length_ - message_.size();
  return message_.tail().first(std::min(left, message_.tail().size()));
}

void Call::OnMessageComplete() {
  if (!method_->streaming()) {
    message_complete_ = true;
    if (peer_closed_) OnPeerClosed();
    return;
  }
  prefix_have_ = 0;
  context_.budget.Release(std::exchange(reserved_bytes_, 0));
  if (body_.pending_bytes() > kUnreadRepliesMax) {
    Refuse(ResourceExhausted("the replies to earlier messages are not read"));
    return;
  }
  held_ = true;
  method_->OnMessage(*this, std::move(message_));
}

void Call::OnPeerClosed() {
  peer_closed_ = true;
  if (concluded_) return;
  if (method_->streaming() && prefix_have_ == 0) {
    held_ = true;
    method_->OnHalfClose(*this);
    return;
  }
  if (!message_complete_) {
    Refuse(Internal(StrCat("the request ended after ", message_.size(), " of ", message_length_,
                           " message bytes")));
    return;
  }
  held_ = true;
  method_->OnMessage(*this, std::move(message_));
}

// ---- the reply's side ----

TimeNs Call::now() const {
  return connection_->now_;
}

ByteQueue& Call::BeginMessage(std::size_t size) {
  // A borrowed tensor in it makes the message larger than what is stored here.
  constexpr std::size_t kReservedMax = std::size_t{32} << 10;
  body_.Reserve(std::min(kMessagePrefixSize + size, kReservedMax));
  std::byte* prefix = body_.Extend(kMessagePrefixSize);
  prefix[0] = std::byte{0};
  for (std::size_t i = 0; i < 4; ++i) {
    prefix[4 - i] = static_cast<std::byte>((size >> (8 * i)) & 0xff);
  }
  return body_;
}

std::uint64_t Call::client() const {
  return connection_->client_;
}

void Call::TightenDeadline(TimeNs deadline) {
  if (deadline >= deadline_ || concluded_) return;
  deadline_ = deadline;
  context_.timers.Arm(*this, deadline_);
}

Status Call::ReserveMore(std::size_t bytes) {
  if (!context_.budget.TryReserve(bytes)) return BudgetFull();
  reserved_bytes_ += bytes;
  return {};
}

void Call::SetRetryAfter(TimeNs retry_after) {
  const std::int64_t milliseconds =
      std::min<std::int64_t>((retry_after + kMillisecond - 1) / kMillisecond, 1'000'000'000);
  char* const begin = retry_pushback_.data();
  const std::to_chars_result end =
      std::to_chars(begin, begin + retry_pushback_.size(), milliseconds);
  retry_pushback_size_ = static_cast<std::size_t>(end.ptr - begin);
}

void Call::Flush() {
  if (!stream_open_ || body_.empty()) return;
  sent_at_ = connection_->now_;
  if (!headers_sent_) {
    headers_sent_ = true;
    static constexpr std::array<Header, 2> kHeaders = {Header{":status", "200"}, kContentType};
    connection_->http2_.SubmitResponse(id_, kHeaders, *this);
  } else {
    connection_->http2_.ResumeBody(id_);
  }
  connection_->host_.OnOutput();
}

void Call::Finish(const Status& status) {
  held_ = false;
  if (!concluded_) Respond(status);
  DestroyIfDone();
}

void Call::Release() {
  CHECK(held_);
  held_ = false;
  DestroyIfDone();
}

// An answer of ours while a streaming method may hold the call: it must let go.
void Call::Refuse(const Status& status) {
  Respond(status);
  CancelMethod();
}

// Trailers after a body, or one block of headers where there is none.
void Call::Respond(const Status& status) {
  Conclude(status.code());
  if (!stream_open_) return;
  status_text_ = std::to_string(static_cast<int>(status.code()));
  encoded_message_ = PercentEncode(status.message());
  if (!status.ok()) body_.Clear();
  sent_at_ = connection_->now_;
  if (headers_sent_) {
    connection_->http2_.ResumeBody(id_);
  } else if (!body_.empty()) {
    Flush();
  } else {
    headers_sent_ = true;
    std::array<Header, 6> headers = {Header{":status", "200"}, kContentType};
    const std::span<const Header> trailers = Trailers();
    std::copy(trailers.begin(), trailers.end(), headers.begin() + 2);
    connection_->http2_.SubmitHeadersOnly(id_, std::span(headers).first(2 + trailers.size()));
  }
  connection_->host_.OnOutput();
}

void Call::RespondPlain(std::string_view http_status) {
  concluded_ = true;
  headers_sent_ = true;
  const std::array<Header, 1> headers = {Header{":status", http_status}};
  connection_->http2_.SubmitHeadersOnly(id_, headers);
  connection_->host_.OnOutput();
}

std::span<const Header> Call::Trailers() {
  std::size_t count = 0;
  trailers_[count++] = {"grpc-status", status_text_};
  if (!encoded_message_.empty()) trailers_[count++] = {"grpc-message", encoded_message_};
  if (retry_pushback_size_ > 0) {
    trailers_[count++] = {"grpc-retry-pushback-ms", {retry_pushback_.data(), retry_pushback_size_}};
  }
  if (status_code_ == StatusCode::kUnimplemented && request_encoded_) {
    trailers_[count++] = kAcceptIdentity;
  }
  return {trailers_.data(), count};
}

void Call::TakeBody(std::size_t n, ByteQueue& output) {
  if (connection_ != nullptr) sent_at_ = connection_->now_;
  body_.MoveTo(n, output);
}

// ---- the end ----

// The one place where a call is finished, whatever finished it.
void Call::Conclude(StatusCode code) {
  CHECK(!concluded_);
  concluded_ = true;
  status_code_ = code;
  Timer::Disarm();
  static_cast<ListLink<BudgetWaiter>&>(*this).Unlink();
  if (!accepted_) return;
  context_.cells.Add(metrics::Counter::kCallsFinished);
  if (code == StatusCode::kCancelled) context_.cells.Add(metrics::Counter::kCallsCancelled);
  if (code == StatusCode::kDeadlineExceeded) context_.cells.Add(metrics::Counter::kCallsExpired);
}

void Call::OnTimer(TimeNs /*now*/) {
  Refuse(DeadlineExceeded("the deadline passed before the answer was there"));
  DestroyIfDone();
}

void Call::OnStreamGone() {
  stream_open_ = false;
  if (!concluded_) {
    Conclude(StatusCode::kCancelled);
    CancelMethod();
  }
  DestroyIfDone();
}

void Call::CancelMethod() {
  if (!held_) return;
  pinned_ = true;  // the method may release the call at once, and our caller still uses it
  method_->OnCancel(*this);
  pinned_ = false;
}

void Call::DestroyIfDone() {
  if (stream_open_ || held_ || pinned_) return;
  if (accepted_) context_.cells.Add(metrics::Counter::kCallsReleased);
  if (connection_ != nullptr) connection_->OnCallDestroyed();
  static_cast<ListLink<Call>&>(*this).Unlink();
  message_.Reset();
  // May let another call's message in, so it comes last.
  CallContext& context = context_;
  const std::size_t reserved = std::exchange(reserved_bytes_, 0);
  body_.Clear();
  // Many small ones or a few large ones, 4 MiB in all.
  constexpr std::size_t kFreeMax = 256;
  constexpr std::size_t kFreeBytesMax = std::size_t{16} << 10;
  constexpr std::size_t kSmallFreeMax = 8192;
  constexpr std::size_t kSmallBytesMax = 512;
  const std::size_t kept = context.free_bodies.size();
  if ((kept < kFreeMax && body_.own_capacity() <= kFreeBytesMax) ||
      (kept < kSmallFreeMax && body_.own_capacity() <= kSmallBytesMax)) {
    context.free_bodies.push_back(std::move(body_));
  }
  this->~Call();
  context.blocks.Free(this);
  context.budget.Release(reserved);
}

bool Call::ReceivesTooSlowly(TimeNs now, TimeNs grace) const {
  if (!accepted_ || concluded_ || peer_closed_) return false;
  // Waiting for memory is our doing, not the peer's.
  if (static_cast<const ListLink<BudgetWaiter>&>(*this).linked()) return false;
  // A streaming call may rest between messages.
  if (method_->streaming() && prefix_have_ == 0) return false;
  const TimeNs allowed = grace + static_cast<TimeNs>(message_.size()) / kReceiveRateMin * kSecond;
  return now - receiving_since_ > allowed;
}

bool Call::SendsNothingSince(TimeNs time) const {
  // Trailers wait for the peer's window too, behind a body that it did not read.
  return headers_sent_ && (!body_.empty() || concluded_) && sent_at_ < time;
}

}  // namespace penstock::grpc
