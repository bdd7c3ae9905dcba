#include "load/client_connection.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/strings.h"
#include "grpc/text.h"

namespace penstock::load {
namespace {

// Larger request bytes leave from where they are.
constexpr std::size_t kCopyMax = std::size_t{16} << 10;
constexpr std::size_t kFirstAllocationMax = std::size_t{1} << 20;
constexpr std::size_t kGrpcMessageMax = 1024;
constexpr http2::Limits kLimits = {.header_list_bytes_max = std::size_t{64} << 10};

// Every stream of a ClientConnection is a ClientCall.
ClientCall& CallOf(http2::Stream& stream) {
  return static_cast<ClientCall&>(stream);
}

// -1 for what is no number.
int ToInt(std::string_view text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

// grpc-message as a person reads it: percent-decoded, on one line.
std::string Readable(std::string_view encoded) {
  std::string text;
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    int byte = static_cast<unsigned char>(encoded[i]);
    if (byte == '%' && i + 2 < encoded.size()) {
      const char* const digits = encoded.data() + i + 1;
      int value = 0;
      if (std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
        byte = value;
        i += 2;
      }
    }
    text.push_back(byte < 0x20 || byte == 0x7f ? ' ' : static_cast<char>(byte));
  }
  return text;
}

}  // namespace

// ---- one call ----

void ClientCall::Reset(ClientConnection& connection, std::span<const std::byte> body) {
  connection_ = &connection;
  body_ = body;
  ended_ = false;
  http_status_ = 0;
  grpc_status_ = -1;
  grpc_content_type_ = excess_ = false;
  grpc_message_.clear();
  prefix_have_ = message_length_ = 0;
}

void ClientCall::TakeBody(std::size_t n, ByteQueue& output) {
  if (n <= kCopyMax) {
    output.Append(body_.first(n));
  } else {
    output.AppendBorrowed(body_.first(n), nullptr);
  }
  body_ = body_.subspan(n);
}

std::span<std::byte> ClientCall::ReceiveTarget() {
  if (ended_ || prefix_have_ < kMessagePrefixSize || !message_.valid()) return {};
  const std::size_t left = message_length_ - message_.size();
  return message_.tail().first(std::min(left, message_.tail().size()));
}

void ClientCall::OnHeader(std::string_view name, std::string_view value) {
  if (name == "grpc-status") {
    grpc_status_ = ToInt(value);
  } else if (name == ":status") {
    http_status_ = ToInt(value);
  } else if (name == "content-type") {
    grpc_content_type_ = grpc::IsGrpcContentType(value);
  } else if (name == "grpc-message") {
    grpc_message_ = Readable(value.substr(0, kGrpcMessageMax));
  }
}

void ClientCall::OnData(std::span<const std::byte> data, BufferPool& buffers) {
  while (!data.empty()) {
    if (prefix_have_ < kMessagePrefixSize) {
      const std::size_t part = std::min(kMessagePrefixSize - prefix_have_, data.size());
      std::memcpy(prefix_.data() + prefix_have_, data.data(), part);
      prefix_have_ += part;
      data = data.subspan(part);
      if (prefix_have_ < kMessagePrefixSize) return;
      for (std::size_t i = 1; i < kMessagePrefixSize; ++i) {
        message_length_ = (message_length_ << 8) | std::to_integer<std::size_t>(prefix_[i]);
      }
      const std::size_t first =
          std::min(std::max(message_length_, std::size_t{1}), kFirstAllocationMax);
      if (!message_.valid() || message_.capacity() < first) message_ = buffers.Get(first);
      message_.set_size(0);
      continue;
    }
    const std::size_t part = std::min(message_length_ - message_.size(), data.size());
    if (part == 0) {
      excess_ = true;
      return;
    }
    if (message_.size() + part > message_.capacity()) {
      buffers.Grow(message_, std::min(message_length_, 2 * (message_.size() + part)));
    }
    std::byte* const end = message_.data() + message_.size();
    // Received in place already, where ReceiveTarget was used.
    if (data.data() != end) std::memcpy(end, data.data(), part);
    message_.set_size(message_.size() + part);
    data = data.subspan(part);
  }
}

// What makes an answer that has ended no gRPC answer; "" for a good one.
std::string_view ClientCall::Fault() const {
  if (http_status_ != 200) return "the server answered with an HTTP status other than 200";
  if (!grpc_content_type_) return "the answer's content-type is not application/grpc";
  if (grpc_status_ < 0) return "the answer ended without a valid grpc-status";
  if (grpc_status_ != 0) return "";
  if (prefix_have_ < kMessagePrefixSize) return "status OK without a message";
  if (prefix_[0] != std::byte{0}) return "the answer is compressed, which was not offered";
  if (message_.size() != message_length_) return "the answer ended inside its message";
  if (excess_) return "more than one message for a unary call";
  return "";
}

// ---- the connection ----

ClientConnection::ClientConnection(BlockPool& blocks, BufferPool& buffers)
    : buffers_(buffers), http2_(kLimits, *this, blocks, http2::Role::kClient) {}

ClientConnection::~ClientConnection() {
  Lose("the connection was closed");
}

bool ClientConnection::Start(ClientCall& call, std::span<const http2::Header> headers,
                             std::span<const std::byte> body) {
  call.Reset(*this, body);
  call.id_ = http2_.SubmitRequest(headers, call);
  if (call.id_ == 0) {
    call.connection_ = nullptr;
    return false;
  }
  calls_.PushBack(call);
  ++calls_count_;
  return true;
}

void ClientConnection::Cancel(ClientCall& call) {
  CHECK(call.connection_ == this && !call.ended_);
  call.ended_ = true;
  call.Disarm();
  http2_.Reset(call.id_, http2::ErrorCode::kCancel);
}

void ClientConnection::Lose(std::string_view why) {
  while (ClientCall* call = calls_.front()) {
    End(*call, {.text = why});
    Free(*call);
  }
}

Status ClientConnection::Received(std::size_t n, TimeNs now) {
  now_ = now;
  return http2_.Received(n, now);
}

http2::Stream* ClientConnection::OnStreamBegin(http2::StreamId /*id*/) {
  return nullptr;
}

void ClientConnection::OnHeader(http2::Stream& stream, std::string_view name,
                                std::string_view value) {
  CallOf(stream).OnHeader(name, value);
}

void ClientConnection::OnHeadersEnd(http2::Stream& /*stream*/) {}

void ClientConnection::OnData(http2::Stream& stream, std::span<const std::byte> data) {
  ClientCall& call = CallOf(stream);
  if (!call.ended_) call.OnData(data, buffers_);
}

void ClientConnection::OnEndStream(http2::Stream& stream) {
  ClientCall& call = CallOf(stream);
  const std::string_view fault = call.Fault();
  if (!fault.empty()) {
    End(call, {.text = fault});
  } else {
    End(call,
        {.code = call.grpc_status_,
         .text = call.grpc_message_,
         .message = call.grpc_status_ == 0 ? call.message_.bytes() : std::span<const std::byte>()});
  }
  // Answered before it was asked to the end: the rest of the request is not wanted.
  if (!call.body_.empty()) http2_.Reset(call.id_, http2::ErrorCode::kCancel);
}

void ClientConnection::OnStreamClosed(http2::Stream& stream, http2::ErrorCode code) {
  ClientCall& call = CallOf(stream);
  if (!call.ended_) {
    const std::string text =
        StrCat("the server reset the stream, HTTP/2 error ", static_cast<std::uint32_t>(code));
    End(call, {.text = text});
  }
  Free(call);
}

void ClientConnection::End(ClientCall& call, const CallOutcome& outcome) {
  if (call.ended_) return;
  call.ended_ = true;
  call.Disarm();
  call.events_.OnCallEnd(call, outcome);
}

void ClientConnection::Free(ClientCall& call) {
  static_cast<ListLink<ClientCall>&>(call).Unlink();
  --calls_count_;
  call.connection_ = nullptr;
  // A large answer's memory is not kept with every call that once had one.
  if (call.message_.valid() && call.message_.capacity() > kFirstAllocationMax) {
    call.message_.Reset();
  }
  call.events_.OnCallFree(call);
}

}  // namespace penstock::load
