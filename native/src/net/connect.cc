#include "net/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <algorithm>

#include "base/strings.h"

namespace penstock {

Result<std::vector<SocketAddress>> Resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int rc = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (rc != 0) {
    return InvalidArgument(StrCat("host '", Printable(host), "': ", gai_strerror(rc)));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    SocketAddress address;
    memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.length = each->ai_addrlen;
    addresses.push_back(address);
  }
  freeaddrinfo(found);
  std::ranges::stable_partition(
      addresses, [](const SocketAddress& address) { return address.storage.ss_family == AF_INET; });
  return addresses;
}

Result<UniqueFd> BeginConnect(const SocketAddress& address,
                              const std::optional<SocketAddress>& source) {
  UniqueFd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Unavailable(strerror(errno));
  const int on = 1;
  // Calls leave in whole writes already; waiting for more would only add latency.
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (source.has_value() && bind(fd.get(), source->raw(), source->length) != 0) {
    return Unavailable(StrCat("cannot send from the source address: ", strerror(errno)));
  }
  if (connect(fd.get(), address.raw(), address.length) != 0 && errno != EINPROGRESS) {
    return Unavailable(strerror(errno));
  }
  return fd;
}

Status ConnectError(int fd) {
  int error = 0;
  socklen_t length = sizeof(error);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  return error == 0 ? Status() : Unavailable(strerror(error));
}

}  // namespace penstock
