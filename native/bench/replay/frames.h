// HTTP/2 frames as the replay client writes and reads them (RFC 9113 section 4 and 6): the fixed
// header, the few types that matter and big-endian numbers. Plain functions on bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock::bench {

inline constexpr std::size_t kFrameHeaderBytes = 9;
inline constexpr std::size_t kGrpcPrefixBytes = 5;  // compressed flag and message length
inline constexpr std::uint32_t kDefaultWindow = 65'535;
inline constexpr std::uint32_t kDefaultMaxFrame = 16'384;
inline constexpr std::uint32_t kLargestWindow = 0x7fff'ffff;
inline constexpr char kPreface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr std::size_t kPrefaceBytes = 24;

enum FrameType : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

inline constexpr std::uint8_t kFlagEndStream = 0x1;  // DATA, HEADERS
inline constexpr std::uint8_t kFlagAck = 0x1;        // SETTINGS, PING
inline constexpr std::uint8_t kFlagEndHeaders = 0x4;
inline constexpr std::uint8_t kFlagPadded = 0x8;
inline constexpr std::uint8_t kFlagPriority = 0x20;

enum SettingId : std::uint16_t {
  kHeaderTableSize = 1,
  kEnablePush = 2,
  kMaxConcurrentStreams = 3,
  kInitialWindowSize = 4,
  kMaxFrameSize = 5,
};

struct FrameHeader {
  std::uint32_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream_id = 0;
};

inline void Put32(std::uint8_t* out, std::uint32_t value) {
  out[0] = static_cast<std::uint8_t>(value >> 24);
  out[1] = static_cast<std::uint8_t>(value >> 16);
  out[2] = static_cast<std::uint8_t>(value >> 8);
  out[3] = static_cast<std::uint8_t>(value);
}

inline std::uint32_t Get32(const std::uint8_t* in) {
  return std::uint32_t{in[0]} << 24 | std::uint32_t{in[1]} << 16 | std::uint32_t{in[2]} << 8 |
         std::uint32_t{in[3]};
}

inline void PutFrameHeader(std::uint8_t* out, const FrameHeader& frame) {
  out[0] = static_cast<std::uint8_t>(frame.length >> 16);
  out[1] = static_cast<std::uint8_t>(frame.length >> 8);
  out[2] = static_cast<std::uint8_t>(frame.length);
  out[3] = frame.type;
  out[4] = frame.flags;
  Put32(out + 5, frame.stream_id);
}

inline FrameHeader GetFrameHeader(const std::uint8_t* in) {
  FrameHeader frame;
  frame.length = std::uint32_t{in[0]} << 16 | std::uint32_t{in[1]} << 8 | std::uint32_t{in[2]};
  frame.type = in[3];
  frame.flags = in[4];
  frame.stream_id = Get32(in + 5) & 0x7fff'ffff;
  return frame;
}

}  // namespace penstock::bench
