#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/strings.h"

namespace penstock {

Result<SocketAddress> ParseAddress(const std::string& host, std::uint16_t port) {
  const std::string numeric = host == "localhost" ? "127.0.0.1" : host;
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  if (inet_pton(AF_INET, numeric.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.length = sizeof(*v4);
    return address;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET6, numeric.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.length = sizeof(*v6);
    return address;
  }
  return InvalidArgument(StrCat("host '", Printable(host), "': expected an IPv4 or IPv6 address"));
}

}  // namespace penstock
