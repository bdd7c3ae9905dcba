// The other side of an HTTP/2 connection, made of nghttp2's client session: a peer that we did not
// write. No socket: bytes in, bytes out. One thread. Aborts where nghttp2 refuses our own use.
#pragma once

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"

namespace penstock {

class Http2Client final {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  struct Options {
    std::uint32_t initial_window = 65'535;
    // False: the peer gets window only by Consume.
    bool auto_window = true;
    bool large_connection_window = true;
    // Payload of its DATA frames, where the server allows as much.
    std::size_t frame_size = 16'384;
  };

  // What came back on one stream.
  struct Reply {
    Fields headers;
    Fields trailers;
    std::string body;
    bool ended = false;   // by END_STREAM
    bool closed = false;  // nothing will come any more
    bool reset = false;   // by us
    std::uint32_t error_code = 0;

    std::string Find(std::string_view name) const {
      for (const Fields* fields : {&trailers, &headers}) {
        for (const auto& [field, value] : *fields) {
          if (field == name) return value;
        }
      }
      return "";
    }
  };

  Http2Client() : Http2Client(Options()) {}
  explicit Http2Client(const Options& options) : frame_size_(options.frame_size) {
    nghttp2_session_callbacks* callbacks = nullptr;
    CHECK_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, OnData);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, OnFrame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, OnClose);
    nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, FrameLength);
    nghttp2_option* option = nullptr;
    CHECK_EQ(nghttp2_option_new(&option), 0);
    if (!options.auto_window) nghttp2_option_set_no_auto_window_update(option, 1);
    CHECK_EQ(nghttp2_session_client_new2(&session_, callbacks, this, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
                                             options.initial_window};
    CHECK_EQ(nghttp2_submit_settings(session_, 0, &settings, 1), 0);
    if (options.large_connection_window) {
      CHECK_EQ(nghttp2_session_set_local_window_size(session_, 0, 0, 1 << 30), 0);
    }
  }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;
  ~Http2Client() { nghttp2_session_del(session_); }

  // A request whose body is `body`, given so far, and goes on until End.
  std::int32_t Begin(const Fields& headers, std::string body = "") {
    std::vector<nghttp2_nv> nv;
    for (const auto& [name, value] : headers) nv.push_back(ToNv(name, value));
    nghttp2_data_provider provider{};
    provider.read_callback = ReadBody;
    const std::int32_t id =
        nghttp2_submit_request(session_, nullptr, nv.data(), nv.size(), &provider, nullptr);
    CHECK_GT(id, 0);
    bodies_[id].bytes = std::move(body);
    return id;
  }
  void Append(std::int32_t id, std::string_view bytes) {
    bodies_[id].bytes.append(bytes);
    nghttp2_session_resume_data(session_, id);
  }
  void End(std::int32_t id) {
    bodies_[id].ended = true;
    nghttp2_session_resume_data(session_, id);
  }
  std::int32_t Request(const Fields& headers, std::string body = "") {
    const std::int32_t id = Begin(headers, std::move(body));
    End(id);
    return id;
  }
  void Reset(std::int32_t id, std::uint32_t code = NGHTTP2_CANCEL) {
    // Of a request that has not left yet, a second one would really be sent, and break the
    // protocol.
    if (std::exchange(replies_[id].reset, true)) return;
    CHECK_EQ(nghttp2_submit_rst_stream(session_, 0, id, code), 0);
  }
  void Ping() { CHECK_EQ(nghttp2_submit_ping(session_, 0, nullptr), 0); }
  // Gives window for `bytes` received, where auto_window is off.
  void Consume(std::int32_t id, std::size_t bytes) {
    CHECK_EQ(nghttp2_session_consume(session_, id, bytes), 0);
  }

  // What it wants to send now.
  std::string TakeOutput() {
    std::string output;
    const std::uint8_t* bytes = nullptr;
    while (const ssize_t n = nghttp2_session_mem_send(session_, &bytes)) {
      CHECK_GT(n, 0);
      output.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
    }
    return output;
  }
  // False: the server broke the protocol.
  bool Receive(std::string_view bytes) {
    return nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                    bytes.size()) == static_cast<ssize_t>(bytes.size());
  }
  bool WantsAnything() const {
    return nghttp2_session_want_read(session_) != 0 || nghttp2_session_want_write(session_) != 0;
  }

  Reply& reply(std::int32_t id) { return replies_[id]; }
  // A client of a long life forgets what it has looked at.
  void Forget(std::int32_t id) {
    replies_.erase(id);
    bodies_.erase(id);
  }
  std::size_t UnsentBytes(std::int32_t id) const {
    const auto body = bodies_.find(id);
    return body == bodies_.end() ? 0 : body->second.bytes.size() - body->second.sent;
  }
  // What the server still lets us send on the whole connection.
  std::int32_t ConnectionWindow() const { return nghttp2_session_get_remote_window_size(session_); }
  std::uint32_t RemoteSetting(nghttp2_settings_id id) const {
    return nghttp2_session_get_remote_settings(session_, id);
  }
  struct Goaway {
    std::int32_t last_stream_id;
    std::uint32_t error_code;
  };
  const std::vector<Goaway>& goaways() const { return goaways_; }
  int settings_acknowledged() const { return settings_acknowledged_; }
  int pings_answered() const { return pings_answered_; }
  nghttp2_session* session() { return session_; }

 private:
  struct Body {
    std::string bytes;
    std::size_t sent = 0;
    bool ended = false;
  };

  static nghttp2_nv ToNv(const std::string& name, const std::string& value) {
    // nghttp2's type has no const form; it only reads.
    return {const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(name.data())),
            const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(value.data())),
            name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
  }
  static ssize_t ReadBody(nghttp2_session* /*session*/, std::int32_t id, std::uint8_t* buffer,
                          std::size_t length, std::uint32_t* flags, nghttp2_data_source* /*source*/,
                          void* user_data) {
    Body& body = static_cast<Http2Client*>(user_data)->bodies_[id];
    const std::size_t size = std::min(length, body.bytes.size() - body.sent);
    std::memcpy(buffer, body.bytes.data() + body.sent, size);
    body.sent += size;
    if (body.ended && body.sent == body.bytes.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    } else if (size == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(size);
  }
  static ssize_t FrameLength(nghttp2_session* /*session*/, std::uint8_t /*frame_type*/,
                             std::int32_t /*id*/, std::int32_t connection_window,
                             std::int32_t stream_window, std::uint32_t frame_size_max,
                             void* user_data) {
    const auto wanted = static_cast<ssize_t>(static_cast<Http2Client*>(user_data)->frame_size_);
    return std::min<ssize_t>(
        {connection_window, stream_window, static_cast<ssize_t>(frame_size_max), wanted});
  }
  static int OnHeader(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                      const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                      std::size_t value_size, std::uint8_t /*flags*/, void* user_data) {
    Reply& reply = static_cast<Http2Client*>(user_data)->replies_[frame->hd.stream_id];
    Fields& fields = frame->headers.cat == NGHTTP2_HCAT_RESPONSE ? reply.headers : reply.trailers;
    fields.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size),
                        std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }
  static int OnData(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t id,
                    const std::uint8_t* data, std::size_t size, void* user_data) {
    static_cast<Http2Client*>(user_data)->replies_[id].body.append(
        reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnFrame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user_data) {
    auto& self = *static_cast<Http2Client*>(user_data);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self.goaways_.push_back({frame->goaway.last_stream_id, frame->goaway.error_code});
    }
    const bool acknowledges = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
    if (frame->hd.type == NGHTTP2_SETTINGS && acknowledges) ++self.settings_acknowledged_;
    if (frame->hd.type == NGHTTP2_PING && acknowledges) ++self.pings_answered_;
    const bool carries_end = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (carries_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      self.replies_[frame->hd.stream_id].ended = true;
    }
    return 0;
  }
  static int OnClose(nghttp2_session* /*session*/, std::int32_t id, std::uint32_t error_code,
                     void* user_data) {
    auto& self = *static_cast<Http2Client*>(user_data);
    self.replies_[id].closed = true;
    self.replies_[id].error_code = error_code;
    return 0;
  }

  const std::size_t frame_size_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Body> bodies_;
  std::map<std::int32_t, Reply> replies_;
  std::vector<Goaway> goaways_;
  int settings_acknowledged_ = 0;
  int pings_answered_ = 0;
};

// The header fields of a gRPC call; `more` follows them.
inline Http2Client::Fields GrpcHeaders(const std::string& path,
                                       const Http2Client::Fields& more = {}) {
  Http2Client::Fields fields = {{":method", "POST"},
                                {":scheme", "http"},
                                {":path", path},
                                {":authority", "test"},
                                {"content-type", "application/grpc"},
                                {"te", "trailers"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

}  // namespace penstock
