#include "grpc/text.h"

namespace penstock::grpc {

std::optional<TimeNs> ParseTimeout(std::string_view text) {
  constexpr std::size_t kDigitsMax = 8;
  if (text.size() < 2 || text.size() > kDigitsMax + 1) return std::nullopt;
  TimeNs value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  TimeNs unit = 0;
  switch (text.back()) {
    case 'H':
      unit = 3600 * kSecond;
      break;
    case 'M':
      unit = 60 * kSecond;
      break;
    case 'S':
      unit = kSecond;
      break;
    case 'm':
      unit = kMillisecond;
      break;
    case 'u':
      unit = kMicrosecond;
      break;
    case 'n':
      unit = 1;
      break;
    default:
      return std::nullopt;
  }
  // 99,999,999 hours do not fit; nobody can tell the difference.
  return value > kNever / unit ? kNever : value * unit;
}

std::string PercentEncode(std::string_view message) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(message.size());
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte <= 0x7e && c != '%') {
      encoded.push_back(c);
      continue;
    }
    encoded.push_back('%');
    encoded.push_back(kHex[byte >> 4]);
    encoded.push_back(kHex[byte & 0xf]);
  }
  return encoded;
}

bool IsGrpcContentType(std::string_view content_type) {
  constexpr std::string_view kPrefix = "application/grpc";
  if (!content_type.starts_with(kPrefix)) return false;
  const std::string_view rest = content_type.substr(kPrefix.size());
  return rest.empty() || rest[0] == '+' || rest[0] == ';';
}

}  // namespace penstock::grpc
