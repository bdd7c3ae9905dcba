// The payloads of a run as they travel: header lists and prefixed messages, built once. Immutable
// afterwards.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <penstock/load.h>

#include "base/clock.h"
#include "base/status.h"
#include "http2/connection.h"

namespace penstock::load {

// What cannot be sent, or not counted, is refused here with the option's name.
Status CheckOptions(const LoadOptions& options);

class RequestSet final {
 public:
  RequestSet(const std::vector<LoadPayload>& payloads, const std::string& authority);
  RequestSet(const RequestSet&) = delete;
  RequestSet& operator=(const RequestSet&) = delete;

  std::span<const http2::Header> headers(std::size_t payload) const {
    return entries_[payload].headers;
  }
  std::span<const std::byte> body(std::size_t payload, std::size_t message) const {
    return std::as_bytes(std::span(entries_[payload].bodies[message]));
  }
  // kNever without a deadline.
  TimeNs timeout(std::size_t payload) const { return entries_[payload].timeout; }

 private:
  struct Entry {
    std::string path;
    std::string timeout_text;
    std::vector<std::pair<std::string, std::string>> metadata;
    std::vector<http2::Header> headers;  // views into the above
    std::vector<std::string> bodies;
    TimeNs timeout = kNever;
  };
  const std::string authority_;
  std::vector<Entry> entries_;
};

// One prefixed gRPC message.
std::string PrefixedMessage(std::string_view message);

}  // namespace penstock::load
