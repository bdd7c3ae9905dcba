#include "load/request_set.h"

#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "load/arrivals.h"
#include "net/address.h"

namespace penstock::load {
namespace {

constexpr std::size_t kMetadataMax = 48;
constexpr std::size_t kMessageBytesMax = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kTimeoutMaxUs = std::int64_t{99'999'999} * 1000;
constexpr double kSecondsMax = 1e7;

bool IsName(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

bool IsValue(std::string_view value) {
  return std::ranges::all_of(value, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

Status CheckMetadata(const LoadPayload& payload, const std::string& name) {
  if (payload.metadata.size() > kMetadataMax) {
    return InvalidArgument(StrCat(name, ".metadata: more than ", kMetadataMax, " entries"));
  }
  for (const auto& [key, value] : payload.metadata) {
    if (!IsName(key) || key.starts_with("grpc-") || key == "te" || key == "content-type") {
      return InvalidArgument(StrCat(name, ".metadata: '", Printable(key), "' is no name for it"));
    }
    if (!IsValue(value)) {
      return InvalidArgument(StrCat(name, ".metadata: the value of '", key,
                                    "' holds other than printable ASCII characters"));
    }
  }
  return {};
}

Status CheckPayload(const LoadPayload& payload, const std::string& name) {
  if (!payload.path.starts_with('/') || !IsValue(payload.path)) {
    return InvalidArgument(StrCat(name, ".path: expected /package.Service/Method"));
  }
  if (payload.messages.empty()) return InvalidArgument(StrCat(name, ".messages: none"));
  for (const std::string& message : payload.messages) {
    if (message.size() > kMessageBytesMax) {
      return InvalidArgument(StrCat(name, ".messages: one of ", message.size(), " bytes"));
    }
  }
  if (!payload.expected.empty() && payload.expected.size() != payload.messages.size()) {
    return InvalidArgument(StrCat(name, ".expected: ", payload.expected.size(), " answers for ",
                                  payload.messages.size(), " messages"));
  }
  if (!(payload.tolerance >= 0)) return InvalidArgument(StrCat(name, ".tolerance: below 0"));
  if (!(payload.weight > 0) || !(payload.weight <= 1e9)) {
    return InvalidArgument(StrCat(name, ".weight: must be above 0 and at most 1e9"));
  }
  if (payload.timeout_us < 0 || payload.timeout_us > kTimeoutMaxUs) {
    return InvalidArgument(StrCat(name, ".timeout_us: must be between 0 and ", kTimeoutMaxUs));
  }
  if (!payload.source.empty() && !ParseAddress(payload.source, 0).ok()) {
    return InvalidArgument(StrCat(name, ".source: '", Printable(payload.source),
                                  "'; expected an IPv4 or IPv6 address of this machine"));
  }
  return CheckMetadata(payload, name);
}

Status CheckSeconds(double value, std::string_view name, bool zero_allowed) {
  const bool fine = value <= kSecondsMax && (value > 0 || (zero_allowed && value == 0));
  if (fine) return {};
  return InvalidArgument(StrCat(name, ": must be ", zero_allowed ? "0 or more" : "above 0",
                                " seconds, and at most ", static_cast<std::int64_t>(kSecondsMax)));
}

Status CheckCount(std::int64_t value, std::string_view name, std::int64_t min, std::int64_t max) {
  if (value >= min && value <= max) return {};
  return InvalidArgument(StrCat(name, ": ", value, " is not between ", min, " and ", max));
}

// gRPC allows eight digits and a unit.
std::string TimeoutText(std::int64_t timeout_us) {
  constexpr std::int64_t kDigitsMax = 99'999'999;
  if (timeout_us <= kDigitsMax) return StrCat(timeout_us, "u");
  return StrCat(timeout_us / 1000, "m");
}

}  // namespace

Status CheckOptions(const LoadOptions& options) {
  if (options.payloads.empty()) return InvalidArgument("payloads: none");
  for (std::size_t i = 0; i < options.payloads.size(); ++i) {
    RETURN_IF_ERROR(CheckPayload(options.payloads[i], StrCat("payloads[", i, "]")));
  }
  RETURN_IF_ERROR(CheckCount(options.port, "port", 1, 65'535));
  RETURN_IF_ERROR(CheckCount(options.connections, "connections", 1, 10'000));
  RETURN_IF_ERROR(CheckCount(options.requests_max, "requests_max", 0,
                             std::numeric_limits<std::int64_t>::max()));
  RETURN_IF_ERROR(CheckCount(options.in_flight_max, "in_flight_max", 1, 10'000'000));
  RETURN_IF_ERROR(CheckSeconds(options.warmup_s, "warmup_s", true));
  RETURN_IF_ERROR(CheckSeconds(options.connect_timeout_s, "connect_timeout_s", false));
  RETURN_IF_ERROR(CheckSeconds(options.stall_timeout_s, "stall_timeout_s", false));
  RETURN_IF_ERROR(CheckSeconds(options.drain_timeout_s, "drain_timeout_s", true));
  if (options.mode == LoadMode::kOpen) return CheckSegments(options.segments);
  for (const LoadPayload& payload : options.payloads) {
    // A caller keeps to its connection and takes payloads as they come.
    if (payload.source != options.payloads.front().source) {
      return InvalidArgument("payloads: in a closed loop all have the same source");
    }
  }
  RETURN_IF_ERROR(CheckCount(options.concurrency, "concurrency", 1, 1'000'000));
  return CheckSeconds(options.duration_s, "duration_s", false);
}

RequestSet::RequestSet(const std::vector<LoadPayload>& payloads, const std::string& authority)
    : authority_(authority), entries_(payloads.size()) {
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    Entry& entry = entries_[i];
    entry.path = payloads[i].path;
    entry.metadata = payloads[i].metadata;
    entry.headers = {{":method", "POST"},
                     {":scheme", "http"},
                     {":path", entry.path},
                     {":authority", authority_},
                     {"te", "trailers"},
                     {"content-type", "application/grpc"},
                     {"user-agent", "penstock-load"}};
    if (payloads[i].timeout_us > 0) {
      entry.timeout = payloads[i].timeout_us * kMicrosecond;
      entry.timeout_text = TimeoutText(payloads[i].timeout_us);
      entry.headers.push_back({"grpc-timeout", entry.timeout_text});
    }
    for (const auto& [name, value] : entry.metadata) entry.headers.push_back({name, value});
    for (const std::string& message : payloads[i].messages) {
      entry.bodies.push_back(PrefixedMessage(message));
    }
  }
}

std::string PrefixedMessage(std::string_view message) {
  std::string body(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) {
    body.push_back(static_cast<char>((message.size() >> shift) & 0xff));
  }
  return body.append(message);
}

}  // namespace penstock::load
