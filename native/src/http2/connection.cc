#include "http2/connection.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/strings.h"

namespace penstock::http2 {
namespace {

// Four of the usual 16 KiB frames: such frames are copied from here. Receiving them in place costs
// a system call each, and measured 1 to 3 % more; in place pays for the larger frames that we
// announce.
constexpr std::size_t kBufferSize = std::size_t{64} << 10;
constexpr std::size_t kPrefaceSize = NGHTTP2_CLIENT_MAGIC_LEN;
// Smaller pieces are cheaper to copy than to receive apart.
constexpr std::size_t kInPlaceMin = 4096;
// Large frames cost fewer headers and system calls; payloads are not buffered by nghttp2.
constexpr std::uint32_t kFrameSizeMax = 1 << 20;
// One stream may not fill the output on its own before others get their turn.
constexpr ssize_t kDataFrameMax = 128 << 10;
constexpr std::size_t kTrailersMax = 8;
constexpr std::size_t kHeadersMax = 8;
// A client's flow control bounds nothing: it asked for what comes.
constexpr std::uint32_t kClientStreamWindow = 0x7fff'ffff;

nghttp2_nv ToNv(const Header& header) {
  // nghttp2's type has no const form; it only reads. Nothing is copied: names and values outlive
  // the stream.
  return {const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(header.name.data())),
          const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(header.value.data())),
          header.name.size(), header.value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

std::string_view View(const std::uint8_t* text, std::size_t size) {
  return {reinterpret_cast<const char*>(text), size};
}

std::span<const std::byte> Bytes(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const std::byte*>(bytes), size};
}

}  // namespace

// nghttp2's callbacks; `user_data` is the Connection.
struct Callbacks {
  static Stream* StreamOf(nghttp2_session* session, StreamId id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int OnBeginHeaders(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    auto& self = *static_cast<Connection*>(user_data);
    self.header_list_bytes_ = 0;
    self.header_fields_ = 0;
    self.header_list_refused_ = false;
    self.header_stream_ = nullptr;
    const StreamId id = frame->hd.stream_id;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
      if (self.role_ == Role::kClient) self.header_stream_ = self.Find(id);
      return 0;
    }
    Stream* stream = self.events_.OnStreamBegin(id);
    if (stream == nullptr) {
      // The block is still decoded, so that the peer's HPACK state and ours stay one.
      return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    }
    self.header_stream_ = stream;
    self.Remember(id, stream);
    return nghttp2_session_set_stream_user_data(session, id, stream);
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame,
                      const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                      std::size_t value_size, std::uint8_t /*flags*/, void* user_data) {
    auto& self = *static_cast<Connection*>(user_data);
    if (self.header_list_refused_) return 0;
    constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 section 6.5.2
    self.header_list_bytes_ += name_size + value_size + kFieldOverhead;
    ++self.header_fields_;
    if (self.header_list_bytes_ > self.limits_.header_list_bytes_max ||
        self.header_fields_ > self.limits_.header_fields_max) {
      self.header_list_refused_ = true;
      return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                       NGHTTP2_ENHANCE_YOUR_CALM);
    }
    if (self.header_stream_ != nullptr) {
      self.events_.OnHeader(*self.header_stream_, View(name, name_size), View(value, value_size));
    }
    return 0;
  }

  // nghttp2 would drop the field and go on: a deadline with a stray space would be no deadline.
  static int OnInvalidHeader(nghttp2_session* session, const nghttp2_frame* frame,
                             const std::uint8_t* /*name*/, std::size_t /*name_size*/,
                             const std::uint8_t* /*value*/, std::size_t /*value_size*/,
                             std::uint8_t /*flags*/, void* user_data) {
    auto& self = *static_cast<Connection*>(user_data);
    if (std::exchange(self.header_list_refused_, true)) return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                     NGHTTP2_PROTOCOL_ERROR);
  }

  static int OnFrame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user_data) {
    auto& self = *static_cast<Connection*>(user_data);
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) {
      if (frame->hd.type == NGHTTP2_SETTINGS) self.settings_received_ = true;
      return 0;
    }
    Stream* stream = self.Find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      if (self.header_list_refused_) return 0;
      if (self.header_stream_ != nullptr) self.events_.OnHeadersEnd(*stream);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) self.events_.OnEndStream(*stream);
    return 0;
  }

  static int OnData(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t id,
                    const std::uint8_t* data, std::size_t size, void* user_data) {
    auto& self = *static_cast<Connection*>(user_data);
    self.consumed_bytes_ += size;
    Stream* stream = self.Find(id);
    if (stream != nullptr) self.events_.OnData(*stream, Bytes(data, size));
    return 0;
  }

  static int OnStreamClose(nghttp2_session* session, std::int32_t id, std::uint32_t error_code,
                           void* user_data) {
    auto& self = *static_cast<Connection*>(user_data);
    Stream* stream = StreamOf(session, id);
    if (id == self.recent_id_) self.Remember(0, nullptr);
    if (stream != nullptr) self.events_.OnStreamClosed(*stream, ErrorCode{error_code});
    return 0;
  }

  // A response that ended before its request did: the rest of the request is not wanted.
  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame,
                         void* /*user_data*/) {
    if (frame->hd.type != NGHTTP2_HEADERS || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
      return 0;
    }
    const StreamId id = frame->hd.stream_id;
    if (nghttp2_session_get_stream_remote_close(session, id) != 0) return 0;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
  }

  static ssize_t ReadBody(nghttp2_session* session, std::int32_t id, std::uint8_t* /*buffer*/,
                          std::size_t length, std::uint32_t* flags, nghttp2_data_source* source,
                          void* /*user_data*/) {
    auto& stream = *static_cast<Stream*>(source->ptr);
    const std::size_t available = stream.BodyAvailable();
    const std::size_t taken = std::min(available, length);
    if (taken < available || !stream.BodyEnds()) {
      if (taken == 0) return NGHTTP2_ERR_DEFERRED;
      *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
      return static_cast<ssize_t>(taken);
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY | NGHTTP2_DATA_FLAG_EOF;
    const std::span<const Header> trailers = stream.Trailers();
    if (trailers.empty()) return static_cast<ssize_t>(taken);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    std::array<nghttp2_nv, kTrailersMax> nv;
    CHECK_LE(trailers.size(), kTrailersMax);
    std::transform(trailers.begin(), trailers.end(), nv.begin(), ToNv);
    if (nghttp2_submit_trailer(session, id, nv.data(), trailers.size()) != 0) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return static_cast<ssize_t>(taken);
  }

  static int SendData(nghttp2_session* /*session*/, nghttp2_frame* /*frame*/,
                      const std::uint8_t* frame_header, std::size_t length,
                      nghttp2_data_source* source, void* user_data) {
    auto& self = *static_cast<Connection*>(user_data);
    self.output_.Append(Bytes(frame_header, kFrameHeaderSize));
    static_cast<Stream*>(source->ptr)->TakeBody(length, self.output_);
    // nghttp2 frames one body after the other without coming back to Pump, unless it is told to.
    return self.output_.pending_bytes() < Connection::kOutputHighWater ? 0 : NGHTTP2_ERR_PAUSE;
  }

  static ssize_t FrameLength(nghttp2_session* /*session*/, std::uint8_t /*frame_type*/,
                             std::int32_t /*id*/, std::int32_t connection_window,
                             std::int32_t stream_window, std::uint32_t frame_size_max,
                             void* /*user_data*/) {
    return std::min<ssize_t>(
        {connection_window, stream_window, static_cast<ssize_t>(frame_size_max), kDataFrameMax});
  }
};

namespace {

// nghttp2's allocator over a BlockPool. Exhausted memory ends the process there as anywhere else.
nghttp2_mem MemoryOf(BlockPool& pool) {
  return {
      .mem_user_data = &pool,
      .malloc = [](std::size_t size,
                   void* blocks) { return static_cast<BlockPool*>(blocks)->Allocate(size); },
      .free = [](void* block, void* blocks) { static_cast<BlockPool*>(blocks)->Free(block); },
      .calloc =
          [](std::size_t count, std::size_t size, void* blocks) {
            return std::memset(static_cast<BlockPool*>(blocks)->Allocate(count * size), 0,
                               count * size);
          },
      .realloc =
          [](void* block, std::size_t size, void* blocks) {
            return static_cast<BlockPool*>(blocks)->Reallocate(block, size);
          },
  };
}

// Built once per connection: nghttp2 copies what it needs from all of them.
nghttp2_session* NewSession(Role role, Connection* connection, BlockPool& pool) {
  nghttp2_session_callbacks* callbacks = nullptr;
  CHECK_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, Callbacks::OnInvalidHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnStreamClose);
  if (role == Role::kServer) {
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::OnFrameSent);
  }
  nghttp2_session_callbacks_set_send_data_callback(callbacks, Callbacks::SendData);
  nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, Callbacks::FrameLength);
  nghttp2_option* option = nullptr;
  CHECK_EQ(nghttp2_option_new(&option), 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_closed_streams(option, 1);
#ifdef PENSTOCK_NGHTTP2_RESET_RATE
  // Cancelled calls are ordinary for gRPC, and calls alive are counted by us beyond their reset:
  // the library's default (1000, then 33 a second) would cut off a client with short deadlines.
  nghttp2_option_set_stream_reset_rate_limit(option, 10'000, 2'000);
#endif
  nghttp2_mem memory = MemoryOf(pool);
  nghttp2_session* session = nullptr;
  const auto create =
      role == Role::kServer ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
  CHECK_EQ(create(&session, callbacks, connection, option, &memory), 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return session;
}

}  // namespace

Connection::Connection(const Limits& limits, StreamEvents& events, BlockPool& memory, Role role)
    : limits_(limits),
      role_(role),
      events_(events),
      scanner_(role == Role::kServer ? kPrefaceSize : 0, role == Role::kServer
                                                             ? FrameScanner::OddFrames::kBounded
                                                             : FrameScanner::OddFrames::kFree),
      session_(NewSession(role, this, memory)),
      buffer_(new std::byte[kBufferSize]) {
  const bool client = role == Role::kClient;
  const std::array<nghttp2_settings_entry, 6> settings = {{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, client ? 0 : limits.max_concurrent_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, client ? kClientStreamWindow : kInitialStreamWindow},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kFrameSizeMax},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<std::uint32_t>(limits.header_list_bytes_max)},
      // Priorities are ours to decide; without the tree every stream costs less.
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},  // a client's to say
  }};
  CHECK_EQ(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(),
                                   client ? settings.size() : settings.size() - 1),
           0);
  CHECK_EQ(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow),
           0);
}

Connection::~Connection() {
  nghttp2_session_del(session_);
}

std::span<const iovec> Connection::ReceiveSpace() {
  space_[0] = {buffer_.get(), kBufferSize};
  if (!scanner_.in_plain_data() || scanner_.payload_left() < kInPlaceMin) {
    return {space_.data(), 1};
  }
  Stream* stream = Find(scanner_.stream_id());
  if (stream == nullptr) return {space_.data(), 1};
  const std::span<std::byte> target = stream->ReceiveTarget();
  const std::size_t in_place = std::min(target.size(), scanner_.payload_left());
  if (in_place < kInPlaceMin) return {space_.data(), 1};
  space_[0] = {target.data(), in_place};
  // Where the message goes on after this frame, only the next frame's header is read with it, so
  // that its payload can be received in place too.
  const bool message_goes_on =
      in_place == scanner_.payload_left() && target.size() - in_place >= kInPlaceMin;
  space_[1] = {buffer_.get(), message_goes_on ? kFrameHeaderSize : kBufferSize};
  return {space_.data(), in_place == scanner_.payload_left() ? 2U : 1U};
}

Status Connection::Received(std::size_t n, TimeNs now) {
  for (const iovec& piece : space_) {
    const std::size_t part = std::min(n, piece.iov_len);
    if (part == 0) break;
    RETURN_IF_ERROR(Feed({static_cast<const std::byte*>(piece.iov_base), part}, now));
    n -= part;
  }
  return {};
}

Status Connection::Feed(std::span<const std::byte> bytes, TimeNs now) {
  switch (scanner_.Scan(bytes, now)) {
    case FrameScanner::Verdict::kFine:
      break;
    case FrameScanner::Verdict::kHeaderBlockTooLarge:
      Terminate(ErrorCode::kEnhanceYourCalm);
      return ResourceExhausted("header block too large");
    case FrameScanner::Verdict::kTooManyOddFrames:
      Terminate(ErrorCode::kEnhanceYourCalm);
      return ResourceExhausted("too many frames that carry next to nothing");
  }
  const ssize_t consumed = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (consumed < 0) {
    return InvalidArgument(StrCat("HTTP/2: ", nghttp2_strerror(static_cast<int>(consumed))));
  }
  // At once: a call that waits for its own window must never hold back the others.
  if (consumed_bytes_ > 0) {
    CHECK_EQ(nghttp2_session_consume_connection(session_, std::exchange(consumed_bytes_, 0)), 0);
  }
  // nghttp2 answered a violation by GOAWAY: it must not be given anything more.
  if (nghttp2_session_want_read(session_) == 0) return InvalidArgument("HTTP/2: session ended");
  return {};
}

// The stream of the frame before, mostly: a request's frames come together.
Stream* Connection::Find(StreamId id) {
  if (id != recent_id_) Remember(id, Callbacks::StreamOf(session_, id));
  return recent_stream_;
}

void Connection::Remember(StreamId id, Stream* stream) {
  recent_id_ = id;
  recent_stream_ = stream;
}

void Connection::Pump() {
  while (output_.pending_bytes() < kOutputHighWater) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_, &bytes);
    // Only exhausted memory or our own callbacks fail here.
    CHECK_GE(size, 0);
    if (size == 0) return;
    output_.Append(Bytes(bytes, static_cast<std::size_t>(size)));
  }
}

bool Connection::Done() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0 &&
         output_.empty();
}

void Connection::SubmitResponse(StreamId id, std::span<const Header> headers, Stream& stream) {
  std::array<nghttp2_nv, kHeadersMax> nv;
  CHECK_LE(headers.size(), kHeadersMax);
  std::transform(headers.begin(), headers.end(), nv.begin(), ToNv);
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::ReadBody;
  CHECK_EQ(nghttp2_submit_response(session_, id, nv.data(), headers.size(), &provider), 0);
}

StreamId Connection::SubmitRequest(std::span<const Header> headers, Stream& stream) {
  std::array<nghttp2_nv, kRequestHeadersMax> nv;
  CHECK_LE(headers.size(), kRequestHeadersMax);
  std::transform(headers.begin(), headers.end(), nv.begin(), ToNv);
  nghttp2_data_provider provider{};
  provider.source.ptr = &stream;
  provider.read_callback = Callbacks::ReadBody;
  const StreamId id =
      nghttp2_submit_request(session_, nullptr, nv.data(), headers.size(), &provider, &stream);
  return std::max(id, 0);
}

bool Connection::CanSubmitRequest() const {
  return nghttp2_session_check_request_allowed(session_) != 0;
}

std::uint32_t Connection::peer_streams_max() const {
  return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void Connection::SubmitHeadersOnly(StreamId id, std::span<const Header> headers) {
  std::array<nghttp2_nv, kHeadersMax> nv;
  CHECK_LE(headers.size(), kHeadersMax);
  std::transform(headers.begin(), headers.end(), nv.begin(), ToNv);
  CHECK_EQ(nghttp2_submit_response(session_, id, nv.data(), headers.size(), nullptr), 0);
}

void Connection::ResumeBody(StreamId id) {
  // It fails where nothing was deferred: the body will be asked for anyway.
  [[maybe_unused]] const int rc = nghttp2_session_resume_data(session_, id);
}

void Connection::Reset(StreamId id, ErrorCode code) {
  CHECK_EQ(
      nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, static_cast<std::uint32_t>(code)),
      0);
}

void Connection::GrantWindow(StreamId id, std::size_t bytes) {
  CHECK_EQ(nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, id,
                                                 static_cast<std::int32_t>(bytes)),
           0);
}

void Connection::ConsumeStream(StreamId id, std::size_t bytes) {
  CHECK_EQ(nghttp2_session_consume_stream(session_, id, bytes), 0);
}

void Connection::BeginShutdown() {
  CHECK_EQ(nghttp2_submit_shutdown_notice(session_), 0);
}

void Connection::FinishShutdown() {
  CHECK_EQ(nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                                 nghttp2_session_get_last_proc_stream_id(session_),
                                 NGHTTP2_NO_ERROR, nullptr, 0),
           0);
}

void Connection::Terminate(ErrorCode code) {
  CHECK_EQ(nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code)), 0);
}

}  // namespace penstock::http2
