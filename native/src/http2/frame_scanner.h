// PURE. Follows the frame boundaries of a byte stream without interpreting payloads, beside
// nghttp2: to know where DATA payload goes before it is read, and to bound what the protocol
// leaves open (header blocks, floods of tiny frames).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/clock.h"

namespace penstock::http2 {

enum class FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

inline constexpr std::size_t kFrameHeaderSize = 9;
inline constexpr std::uint8_t kFlagEndStream = 0x1;
inline constexpr std::uint8_t kFlagEndHeaders = 0x4;
inline constexpr std::uint8_t kFlagPadded = 0x8;

// Refills at a rate up to a burst; what a flood empties.
class TokenBucket final {
 public:
  TokenBucket(std::int64_t burst, std::int64_t per_second)
      : burst_(burst), per_second_(per_second), tokens_(burst) {}
  // False: empty.
  bool Take(TimeNs now);

 private:
  std::int64_t burst_;
  std::int64_t per_second_;
  std::int64_t tokens_;
  TimeNs refilled_at_ = 0;
};

class FrameScanner final {
 public:
  enum class OddFrames : std::uint8_t {
    kBounded,
    kFree,  // of the server that we called: its answers may be tiny
  };
  // `skip`: bytes before the first frame (a client's preface).
  explicit FrameScanner(std::size_t skip, OddFrames odd_frames = OddFrames::kBounded)
      : skip_(skip), odd_frames_bounded_(odd_frames == OddFrames::kBounded) {}

  enum class Verdict {
    kFine,
    kHeaderBlockTooLarge,  // more encoded header bytes or CONTINUATION frames than allowed
    kTooManyOddFrames,     // a flood of frames that carry next to nothing
  };
  // Advances over `bytes`. After anything but kFine the connection must end.
  Verdict Scan(std::span<const std::byte> bytes, TimeNs now);

  // Payload bytes of the current frame still to come; 0 between frames.
  std::size_t payload_left() const { return payload_left_; }
  // Frame headers seen so far.
  std::uint64_t frames() const { return frames_; }
  // Of the current (or last) frame.
  std::int32_t stream_id() const { return stream_id_; }
  bool in_plain_data() const {
    return payload_left_ > 0 && type_ == FrameType::kData && (flags_ & kFlagPadded) == 0;
  }
  // Inside a header block, a control frame, the preface or a frame header: what a peer must not
  // leave unfinished for long.
  bool in_control() const {
    return skip_ > 0 || header_have_ > 0 || in_header_block_ ||
           (payload_left_ > 0 && type_ != FrameType::kData);
  }

 private:
  Verdict OnFrame(TimeNs now);
  bool IsOdd();

  std::size_t skip_;
  const bool odd_frames_bounded_;
  std::array<std::byte, kFrameHeaderSize> header_{};
  std::size_t header_have_ = 0;
  std::size_t payload_left_ = 0;
  std::uint64_t frames_ = 0;
  std::size_t length_ = 0;
  FrameType type_ = FrameType::kData;
  std::uint8_t flags_ = 0;
  std::int32_t stream_id_ = 0;
  bool in_header_block_ = false;
  std::size_t header_block_bytes_ = 0;
  int continuations_ = 0;
  std::int64_t tiny_data_allowed_ = 0;
  TokenBucket odd_frames_{10'000, 330};
};

}  // namespace penstock::http2
