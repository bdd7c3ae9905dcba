#include "http2/frame_scanner.h"

#include <algorithm>

namespace penstock::http2 {
namespace {

// A gRPC request's metadata is a few hundred bytes; gRPC's own limit on it is 8 to 16 KiB.
constexpr std::size_t kHeaderBlockBytesMax = std::size_t{64} << 10;
constexpr int kContinuationsMax = 8;
// A payload this small in a frame that ends nothing is cheaper to send than to receive.
constexpr std::size_t kTinyDataBytes = 64;
// Requests whose own tiny frame is still to come: as many as streams may be open, about.
constexpr std::int64_t kTinyDataAllowedMax = 1024;

}  // namespace

bool TokenBucket::Take(TimeNs now) {
  const TimeNs period = kSecond / per_second_;
  const TimeNs refill = (now - refilled_at_) / period;
  if (refill > 0) {
    // The rest of a period counts for the next token, or a steady sender would lose up to half.
    refilled_at_ = refill >= burst_ - tokens_ ? now : refilled_at_ + refill * period;
    tokens_ = std::min(burst_, tokens_ + refill);
  }
  if (tokens_ == 0) return false;
  --tokens_;
  return true;
}

FrameScanner::Verdict FrameScanner::Scan(std::span<const std::byte> bytes, TimeNs now) {
  const std::size_t skipped = std::min(skip_, bytes.size());
  skip_ -= skipped;
  bytes = bytes.subspan(skipped);
  while (!bytes.empty()) {
    if (payload_left_ > 0) {
      const std::size_t part = std::min(payload_left_, bytes.size());
      payload_left_ -= part;
      bytes = bytes.subspan(part);
      continue;
    }
    const std::size_t part = std::min(kFrameHeaderSize - header_have_, bytes.size());
    std::copy_n(bytes.begin(), part, header_.begin() + static_cast<std::ptrdiff_t>(header_have_));
    header_have_ += part;
    bytes = bytes.subspan(part);
    if (header_have_ < kFrameHeaderSize) break;
    header_have_ = 0;
    if (const Verdict verdict = OnFrame(now); verdict != Verdict::kFine) return verdict;
  }
  return Verdict::kFine;
}

FrameScanner::Verdict FrameScanner::OnFrame(TimeNs now) {
  const auto byte = [this](std::size_t i) { return std::to_integer<std::uint32_t>(header_[i]); };
  length_ = (byte(0) << 16) | (byte(1) << 8) | byte(2);
  payload_left_ = length_;
  ++frames_;
  type_ = static_cast<FrameType>(byte(3));
  flags_ = static_cast<std::uint8_t>(byte(4));
  stream_id_ = static_cast<std::int32_t>(((byte(5) & 0x7f) << 24) | (byte(6) << 16) |
                                         (byte(7) << 8) | byte(8));
  if (type_ == FrameType::kHeaders || type_ == FrameType::kContinuation) {
    if (type_ == FrameType::kHeaders) {
      header_block_bytes_ = 0;
      continuations_ = 0;
      tiny_data_allowed_ = std::min(tiny_data_allowed_ + 1, kTinyDataAllowedMax);
    } else {
      ++continuations_;
    }
    header_block_bytes_ += length_;
    in_header_block_ = (flags_ & kFlagEndHeaders) == 0;
    if (header_block_bytes_ > kHeaderBlockBytesMax || continuations_ > kContinuationsMax) {
      return Verdict::kHeaderBlockTooLarge;
    }
  }
  if (IsOdd() && odd_frames_bounded_ && !odd_frames_.Take(now)) return Verdict::kTooManyOddFrames;
  return Verdict::kFine;
}

bool FrameScanner::IsOdd() {
  switch (type_) {
    case FrameType::kHeaders:
      return false;
    case FrameType::kData:
      if (length_ >= kTinyDataBytes || (flags_ & kFlagEndStream) != 0) return false;
      // Some clients (grpc-js, tonic) end every call by an empty frame of its own, so that a small
      // message never carries END_STREAM: each request may bring one.
      if (tiny_data_allowed_ == 0) return true;
      --tiny_data_allowed_;
      return false;
    case FrameType::kWindowUpdate:
      // Every answer may be followed by one; nghttp2 and the windows bound their harm.
      return false;
    case FrameType::kRstStream:
      // A cancelled call is ordinary; nghttp2's own bucket bounds how fast they come.
      return false;
    default:
      return true;
  }
}

}  // namespace penstock::http2
