// An address and a port as the system wants them.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/status.h"

namespace penstock {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Of an IPv4 or IPv6 address, or "localhost": no name is looked up. INVALID_ARGUMENT for all else.
Result<SocketAddress> ParseAddress(const std::string& host, std::uint16_t port);

}  // namespace penstock
