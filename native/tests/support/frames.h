// Builders of raw HTTP/2 frames, for what a well-behaved peer library would never send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http2/frame_scanner.h"

namespace penstock::frames {

using http2::FrameType;

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// The low bytes of `value`, the highest first.
inline std::string BigEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    text.push_back(static_cast<char>((value >> shift) & 0xff));
  }
  return text;
}

inline std::string Frame(FrameType type, std::uint8_t flags, std::int32_t stream_id,
                         std::string_view payload) {
  std::string frame = BigEndian(payload.size(), 3);
  frame.push_back(static_cast<char>(type));
  frame.push_back(static_cast<char>(flags));
  frame.append(BigEndian(static_cast<std::uint32_t>(stream_id), 4));
  return frame.append(payload);
}

inline std::string Settings() {
  return Frame(FrameType::kSettings, 0, 0, "");
}
inline std::string Ping() {
  return Frame(FrameType::kPing, 0, 0, "12345678");
}
inline std::string Data(std::int32_t id, std::string_view payload, std::uint8_t flags = 0) {
  return Frame(FrameType::kData, flags, id, payload);
}
inline std::string ResetStream(std::int32_t id, std::uint32_t code) {
  return Frame(FrameType::kRstStream, 0, id, BigEndian(code, 4));
}
inline std::string WindowUpdate(std::int32_t id, std::uint32_t bytes) {
  return Frame(FrameType::kWindowUpdate, 0, id, BigEndian(bytes, 4));
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// HPACK without Huffman: literals, put into the dynamic table or not. Texts below 127 bytes.
inline std::string HeaderBlock(const Fields& fields, bool indexed = false) {
  std::string block;
  for (const auto& [name, value] : fields) {
    block.push_back(indexed ? '\x40' : '\x00');
    block.push_back(static_cast<char>(name.size()));
    block.append(name);
    block.push_back(static_cast<char>(value.size()));
    block.append(value);
  }
  return block;
}

inline std::string Headers(std::int32_t id, std::string_view block,
                           std::uint8_t flags = http2::kFlagEndHeaders) {
  return Frame(FrameType::kHeaders, flags, id, block);
}

// A gRPC message: prefix and payload.
inline std::string Message(std::string_view payload, bool compressed = false) {
  std::string message(1, compressed ? '\x01' : '\x00');
  return message.append(BigEndian(payload.size(), 4)).append(payload);
}

}  // namespace penstock::frames
