#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <functional>

#include "base/strings.h"
#include "net/address.h"

namespace penstock {

Result<ListeningSocket> Listen(const std::string& host, std::uint16_t port) {
  // Numeric addresses only: a name service has no place in a server's start.
  ASSIGN_OR_RETURN(SocketAddress address, ParseAddress(host, port));
  const auto failure = [&host, port](const char* step) {
    const int reason = errno;
    return Unavailable(StrCat("cannot ", step, " ", host, ":", port, ": ", strerror(reason)));
  };
  const int family = address.storage.ss_family;
  ListeningSocket listening;
  listening.fd = UniqueFd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listening.fd.valid()) return failure("open a socket for");
  const int on = 1;
  // A restarted server takes its port back although old connections linger.
  setsockopt(listening.fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(listening.fd.get(), address.raw(), address.length) != 0) return failure("bind");
  constexpr int kBacklog = 4096;  // the system caps it at net.core.somaxconn
  if (listen(listening.fd.get(), kBacklog) != 0) return failure("listen on");
  socklen_t length = sizeof(address.storage);
  auto* const raw = reinterpret_cast<sockaddr*>(&address.storage);
  if (getsockname(listening.fd.get(), raw, &length) != 0) return failure("read the port of");
  listening.port =
      ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address.storage)->sin_port
                              : reinterpret_cast<sockaddr_in6*>(&address.storage)->sin6_port);
  return listening;
}

AcceptResult Accept(int listening_fd) {
  AcceptResult result;
  result.fd = UniqueFd(accept4(listening_fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (result.fd.valid()) {
    const int on = 1;
    // Replies leave in whole writes already; waiting for more would only add latency.
    setsockopt(result.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    result.outcome = AcceptOutcome::kAccepted;
    return result;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
    result.outcome = AcceptOutcome::kOutOfResources;
  }
  return result;
}

std::uint64_t PeerAddressKey(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  std::string_view bytes;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
    bytes = {reinterpret_cast<const char*>(&v4), sizeof(v4)};
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    bytes = {reinterpret_cast<const char*>(&v6), sizeof(v6)};
  }
  return std::hash<std::string_view>()(bytes);
}

}  // namespace penstock
