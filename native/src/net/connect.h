// TCP as a client: names to addresses, and connections that are begun without waiting. All
// descriptors are non-blocking and close-on-exec.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"

namespace penstock {

struct PeerAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// What `host` (a name or an address) stands for, IPv4 first: that is what servers bind by default.
// Blocks on the system's resolver. INVALID_ARGUMENT for a name that does not exist.
Result<std::vector<PeerAddress>> Resolve(const std::string& host, std::uint16_t port);

// Begins to connect. The descriptor turns writable when that has ended; ConnectError says how.
Result<UniqueFd> BeginConnect(const PeerAddress& address);
// OK: connected.
Status ConnectError(int fd);

}  // namespace penstock
