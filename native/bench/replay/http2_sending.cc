// Sending half of Http2Session: requests, flow control and the frames that open a connection.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "replay/http2_session.h"

namespace penstock::bench {
namespace {

constexpr std::size_t kSmallBodyMax = 4096;  // sent by one copy; a larger body is borrowed

void PutSetting(std::uint8_t* out, SettingId id, std::uint32_t value) {
  out[0] = 0;
  out[1] = static_cast<std::uint8_t>(id);
  Put32(out + 2, value);
}

}  // namespace

std::unique_ptr<ReplaySession> MakeHttp2Session(const SessionOptions& options, RunState& run) {
  return std::make_unique<Http2Session>(options, run);
}

Http2Session::Http2Session(const SessionOptions& options, RunState& run)
    : run_(run),
      options_(options),
      request_headers_(run.headers()),
      ids_(options.streams, 0),
      streams_(options.streams) {}

void Http2Session::Start() {
  std::memcpy(output_.Append(kPrefaceBytes), kPreface, kPrefaceBytes);
  std::uint8_t settings[18];
  PutSetting(settings, kEnablePush, 0);
  PutSetting(settings + 6, kInitialWindowSize, kLargestWindow);
  PutSetting(settings + 12, kMaxFrameSize, options_.max_frame_bytes);
  AppendFrame({.length = sizeof settings, .type = kSettings, .flags = 0, .stream_id = 0}, settings);
  std::uint8_t increment[4];
  Put32(increment, kLargestWindow - kDefaultWindow);
  AppendFrame({.length = 4, .type = kWindowUpdate, .flags = 0, .stream_id = 0}, increment);
}

std::size_t Http2Session::StreamLimit() const {
  return std::min(options_.streams, peer_streams_);
}

void Http2Session::FillStreams(TimeNs now) {
  if (!settings_seen_ || goaway_) return;
  for (std::size_t i = 0; i < ids_.size() && in_flight_ < StreamLimit(); ++i) {
    if (ids_[i] != 0) continue;
    if (!run_.TakeRequest()) return;
    StartRequest(i, now);
  }
}

void Http2Session::StartRequest(std::size_t index, TimeNs now) {
  CHECK_LT(next_id_, kLargestWindow - 2);  // ids end at 2^31; a run is far shorter
  Stream& stream = streams_[index];
  stream.started = now;
  stream.answered = false;
  stream.send_window = peer_initial_window_;
  run_.checker().Begin(stream.reply);
  const std::uint32_t id = next_id_;
  next_id_ += 2;
  ids_[index] = id;
  ++in_flight_;

  const auto size = static_cast<std::int64_t>(run_.body().size());
  if (run_.body().size() <= kSmallBodyMax && size <= send_window_ && size <= stream.send_window) {
    AppendSmallRequest(id, index);
    return;
  }
  const std::span<const std::uint8_t> block = request_headers_.Next();
  AppendFrame({.length = static_cast<std::uint32_t>(block.size()),
               .type = kHeaders,
               .flags = kFlagEndHeaders,
               .stream_id = id},
              block);
  stream.unsent = run_.body().size();
  Pump(index);
}

// One copy of a prepared image; only the two stream ids differ between requests.
void Http2Session::AppendSmallRequest(std::uint32_t id, std::size_t index) {
  send_window_ -= static_cast<std::int64_t>(run_.body().size());
  streams_[index].unsent = 0;
  const std::span<const std::uint8_t> block = request_headers_.Next();
  if (request_image_.empty() || !request_headers_.constant()) {
    request_image_.resize(2 * kFrameHeaderBytes + block.size() + run_.body().size());
    std::uint8_t* at = request_image_.data();
    PutFrameHeader(at, {.length = static_cast<std::uint32_t>(block.size()),
                        .type = kHeaders,
                        .flags = kFlagEndHeaders,
                        .stream_id = id});
    at = std::copy(block.begin(), block.end(), at + kFrameHeaderBytes);
    PutFrameHeader(at, {.length = static_cast<std::uint32_t>(run_.body().size()),
                        .type = kData,
                        .flags = kFlagEndStream,
                        .stream_id = id});
    std::copy(run_.body().begin(), run_.body().end(), at + kFrameHeaderBytes);
  }
  std::uint8_t* out = output_.Append(request_image_.size());
  std::memcpy(out, request_image_.data(), request_image_.size());
  Put32(out + 5, id);
  Put32(out + kFrameHeaderBytes + block.size() + 5, id);
  if (!request_headers_.constant()) request_image_.clear();
}

void Http2Session::Pump(std::size_t index) {
  Stream& stream = streams_[index];
  while (stream.unsent > 0) {
    const std::int64_t window = std::min(send_window_, stream.send_window);
    if (window <= 0) return;
    const std::size_t size =
        std::min({stream.unsent, std::size_t{peer_max_frame_}, static_cast<std::size_t>(window)});
    const std::size_t from = run_.body().size() - stream.unsent;
    stream.unsent -= size;
    stream.send_window -= static_cast<std::int64_t>(size);
    send_window_ -= static_cast<std::int64_t>(size);
    const std::uint8_t flags = stream.unsent == 0 ? kFlagEndStream : std::uint8_t{0};
    PutFrameHeader(output_.Append(kFrameHeaderBytes), {.length = static_cast<std::uint32_t>(size),
                                                       .type = kData,
                                                       .flags = flags,
                                                       .stream_id = ids_[index]});
    output_.Borrow(run_.body().subspan(from, size));
  }
}

// In order of index, not of need: with a handful of streams no one starves.
void Http2Session::PumpAll() {
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i] != 0 && streams_[i].unsent > 0) Pump(i);
  }
}

void Http2Session::AppendFrame(const FrameHeader& frame, std::span<const std::uint8_t> payload) {
  std::uint8_t* out = output_.Append(kFrameHeaderBytes + payload.size());
  PutFrameHeader(out, frame);
  std::copy(payload.begin(), payload.end(), out + kFrameHeaderBytes);
}

}  // namespace penstock::bench
