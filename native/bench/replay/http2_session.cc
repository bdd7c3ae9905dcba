// Receiving half of Http2Session; http2_sending.cc has the other.
#include "replay/http2_session.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace penstock::bench {

bool Http2Session::Receive(std::span<const std::uint8_t> bytes, TimeNs now) {
  while (!bytes.empty() || (in_frame_ && payload_left_ == 0)) {
    if (!in_frame_) {
      const std::size_t size = std::min(kFrameHeaderBytes - header_have_, bytes.size());
      std::copy_n(bytes.data(), size, header_bytes_ + header_have_);
      header_have_ += size;
      bytes = bytes.subspan(size);
      if (header_have_ < kFrameHeaderBytes) return true;
      if (!OnFrameHeader()) return false;
      continue;
    }
    const std::span<const std::uint8_t> piece = bytes.first(std::min(bytes.size(), payload_left_));
    bytes = bytes.subspan(piece.size());
    payload_left_ -= piece.size();
    if (frame_.type == kData) {
      if (!OnData(piece)) return false;
      if (payload_left_ > 0) return true;
      in_frame_ = false;
      if (!OnDataEnd(now)) return false;
      continue;
    }
    if (payload_left_ > 0 || !payload_.empty()) {
      payload_.insert(payload_.end(), piece.begin(), piece.end());
      if (payload_left_ > 0) return true;
    }
    in_frame_ = false;
    if (!OnFrame(payload_.empty() ? piece : std::span<const std::uint8_t>(payload_), now)) {
      return false;
    }
    payload_.clear();
  }
  return true;
}

bool Http2Session::OnFrameHeader() {
  header_have_ = 0;
  in_frame_ = true;
  frame_ = GetFrameHeader(header_bytes_);
  payload_left_ = frame_.length;
  if (frame_.length > options_.max_frame_bytes) {
    return Fail(StrCat("frame of ", frame_.length, " bytes, more than we announced"));
  }
  if (!settings_seen_ && frame_.type != kSettings) return Fail("first frame is not SETTINGS");
  if (!fragment_.empty() && frame_.type != kContinuation) {
    return Fail("header block interrupted by another frame");
  }
  if (frame_.type != kData) return true;
  if ((frame_.flags & kFlagPadded) != 0) return Fail("padded DATA is not supported here");
  data_stream_ = Find(frame_.stream_id);
  return true;
}

bool Http2Session::OnData(std::span<const std::uint8_t> bytes) {
  to_grant_ += bytes.size();
  if (data_stream_ == ids_.size()) return true;  // of a call that we reset; counts for the window
  if (!streams_[data_stream_].answered) return Fail("DATA before response headers");
  run_.checker().Piece(streams_[data_stream_].reply, bytes);
  return true;
}

bool Http2Session::OnDataEnd(TimeNs now) {
  constexpr std::size_t kGrantFrom = 1 << 29;  // a quarter of the window: rare, and never too late
  if (to_grant_ >= kGrantFrom) {
    std::uint8_t increment[4];
    Put32(increment, static_cast<std::uint32_t>(to_grant_));
    AppendFrame({.length = 4, .type = kWindowUpdate, .flags = 0, .stream_id = 0}, increment);
    to_grant_ = 0;
  }
  if ((frame_.flags & kFlagEndStream) != 0 && data_stream_ != ids_.size()) {
    Finish(data_stream_, "stream ended without trailers", now);
  }
  return true;
}

bool Http2Session::OnFrame(std::span<const std::uint8_t> payload, TimeNs now) {
  switch (frame_.type) {
    case kHeaders:
      return OnHeaders(payload, now);
    case kContinuation:
      fragment_.insert(fragment_.end(), payload.begin(), payload.end());
      if ((frame_.flags & kFlagEndHeaders) == 0) return true;
      frame_ = block_frame_;
      return OnBlock(std::exchange(fragment_, {}), now);
    case kSettings:
      return OnSettings(payload, now);
    case kWindowUpdate:
      return OnWindowUpdate(payload);
    case kPing:
      if ((frame_.flags & kFlagAck) != 0) return true;
      AppendFrame({.length = frame_.length, .type = kPing, .flags = kFlagAck, .stream_id = 0},
                  payload);
      return true;
    case kRstStream:
      OnReset(payload, now);
      return true;
    case kGoAway:
      OnGoAway(payload);
      return true;
    case kPushPromise:
      return Fail("PUSH_PROMISE, though push is off");
    default:
      return true;  // RFC 9113 section 4.1: unknown types are ignored
  }
}

bool Http2Session::OnHeaders(std::span<const std::uint8_t> payload, TimeNs now) {
  std::size_t skip = 0;
  std::size_t padding = 0;
  if ((frame_.flags & kFlagPadded) != 0 && !payload.empty()) {
    padding = payload[0];
    skip += 1;
  }
  if ((frame_.flags & kFlagPriority) != 0) skip += 5;
  if (skip + padding > payload.size()) return Fail("HEADERS frame shorter than its padding");
  const std::span<const std::uint8_t> block =
      payload.subspan(skip, payload.size() - skip - padding);
  if ((frame_.flags & kFlagEndHeaders) != 0) return OnBlock(block, now);
  fragment_.assign(block.begin(), block.end());
  block_frame_ = frame_;
  return true;
}

bool Http2Session::OnBlock(std::span<const std::uint8_t> block, TimeNs now) {
  const ReplyFields* fields = reply_headers_.Decode(block);
  if (fields == nullptr) return Fail("header block is not valid HPACK");
  const std::size_t index = Find(frame_.stream_id);
  if (index == ids_.size()) return true;
  Stream& stream = streams_[index];
  const bool end = (frame_.flags & kFlagEndStream) != 0;
  if (!stream.answered) {
    if (fields->http_status != 200) {
      return Fail(StrCat("HTTP status ", fields->http_status));
    }
    stream.answered = true;
    if (!end) return true;
  } else if (!end) {
    return Fail("second header block without END_STREAM");
  }
  if (fields->grpc_status == 0) {
    Finish(index, run_.checker().Finish(stream.reply), now);
  } else if (fields->grpc_status < 0) {
    Finish(index, "trailers without grpc-status", now);
  } else {
    Finish(index, StrCat("grpc-status ", fields->grpc_status, ": ", fields->grpc_message), now);
  }
  return true;
}

bool Http2Session::OnSettings(std::span<const std::uint8_t> payload, TimeNs now) {
  if ((frame_.flags & kFlagAck) != 0) return true;
  if (payload.size() % 6 != 0) return Fail("SETTINGS of a wrong length");
  for (std::size_t at = 0; at < payload.size(); at += 6) {
    const int id = payload[at] << 8 | payload[at + 1];
    const std::uint32_t value = Get32(payload.data() + at + 2);
    if (id == kHeaderTableSize) {
      request_headers_.ChangeTableSize(value);
      request_image_.clear();
    } else if (id == kMaxConcurrentStreams) {
      peer_streams_ = value;
    } else if (id == kMaxFrameSize) {
      peer_max_frame_ = value;
    } else if (id == kInitialWindowSize) {
      for (Stream& stream : streams_) {
        stream.send_window += std::int64_t{value} - peer_initial_window_;
      }
      peer_initial_window_ = value;
    }
  }
  AppendFrame({.length = 0, .type = kSettings, .flags = kFlagAck, .stream_id = 0}, {});
  const bool first = !std::exchange(settings_seen_, true);
  PumpAll();
  if (!first) FillStreams(now);
  return true;
}

bool Http2Session::OnWindowUpdate(std::span<const std::uint8_t> payload) {
  if (payload.size() != 4) return Fail("WINDOW_UPDATE of a wrong length");
  const std::int64_t increment = Get32(payload.data()) & 0x7fff'ffff;
  if (frame_.stream_id == 0) {
    send_window_ += increment;
    PumpAll();
    return true;
  }
  const std::size_t index = Find(frame_.stream_id);
  if (index == ids_.size()) return true;
  streams_[index].send_window += increment;
  if (streams_[index].unsent > 0) Pump(index);
  return true;
}

void Http2Session::OnReset(std::span<const std::uint8_t> payload, TimeNs now) {
  const std::size_t index = Find(frame_.stream_id);
  if (index == ids_.size() || payload.size() != 4) return;
  Finish(index, StrCat("RST_STREAM with error ", Get32(payload.data())), now);
}

void Http2Session::OnGoAway(std::span<const std::uint8_t> payload) {
  goaway_ = true;
  if (payload.size() < 8) return;
  const std::uint32_t last_id = Get32(payload.data()) & 0x7fff'ffff;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i] > last_id) {
      Finish(i, StrCat("GOAWAY with error ", Get32(payload.data() + 4)), /*now=*/0);
    }
  }
}

void Http2Session::Finish(std::size_t index, std::string_view error, TimeNs now) {
  Stream& stream = streams_[index];
  run_.Completed(now - stream.started, stream.reply.received, error);
  if (stream.unsent > 0) {  // answered early: the rest of the request is not owed any more
    std::uint8_t code[4];
    Put32(code, 8);  // CANCEL
    AppendFrame({.length = 4, .type = kRstStream, .flags = 0, .stream_id = ids_[index]}, code);
    stream.unsent = 0;
  }
  ids_[index] = 0;
  --in_flight_;
  if (!goaway_ && in_flight_ < StreamLimit() && run_.TakeRequest()) StartRequest(index, now);
}

void Http2Session::Lost(const std::string& why) {
  goaway_ = true;
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    if (ids_[i] != 0) Finish(i, why, /*now=*/0);
  }
}

bool Http2Session::Fail(std::string what) {
  failure_ = std::move(what);
  return false;
}

std::size_t Http2Session::Find(std::uint32_t id) {
  for (std::size_t step = 0; step < ids_.size(); ++step) {
    const std::size_t index =
        likely_ + step < ids_.size() ? likely_ + step : likely_ + step - ids_.size();
    if (ids_[index] != id) continue;
    likely_ = index;
    return index;
  }
  return ids_.size();
}

}  // namespace penstock::bench
