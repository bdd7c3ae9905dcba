// TCP as a client: names to addresses, and connections that are begun without waiting. All
// descriptors are non-blocking and close-on-exec.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "net/address.h"

namespace penstock {

// What `host` (a name or an address) stands for, IPv4 first: that is what servers bind by default.
// Blocks on the system's resolver. INVALID_ARGUMENT for a name that does not exist.
Result<std::vector<SocketAddress>> Resolve(const std::string& host, std::uint16_t port);

// Begins to connect, from the address `source` where there is one. The descriptor turns writable
// when that has ended; ConnectError says how.
Result<UniqueFd> BeginConnect(const SocketAddress& address,
                              const std::optional<SocketAddress>& source);
// OK: connected.
Status ConnectError(int fd);

}  // namespace penstock
