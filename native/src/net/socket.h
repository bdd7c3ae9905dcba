// TCP on numeric addresses: listening, accepting, the options every connection gets. All
// descriptors are non-blocking and close-on-exec.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace penstock {

struct ListeningSocket {
  UniqueFd fd;
  std::uint16_t port = 0;  // the one really bound
};

// Binds `host` (an IPv4 or IPv6 address, or "localhost") and `port` (0: the system picks).
// UNAVAILABLE with the address and the system's reason where that fails.
Result<ListeningSocket> Listen(const std::string& host, std::uint16_t port);

enum class AcceptOutcome {
  kAccepted,
  kNone,            // nothing is waiting, or the peer is gone already
  kOutOfResources,  // no descriptor or memory left: try again later
};

struct AcceptResult {
  AcceptOutcome outcome = AcceptOutcome::kNone;
  UniqueFd fd;
};

AcceptResult Accept(int listening_fd);

// A number for the peer's address, without its port; 0 where the system does not know it.
std::uint64_t PeerAddressKey(int fd);

}  // namespace penstock
