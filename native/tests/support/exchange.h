// Carries bytes between a client and a server-side connection (http2::Connection or
// grpc::ServerConnection) without sockets, in slices of any size.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "support/http2_client.h"

namespace penstock {

// Gives `bytes` as a socket would: at most `slice` with each read, and never more than there is
// space for. Stops at the first error, which the connection must not survive.
template <typename Connection>
Status Feed(Connection& connection, std::string_view bytes, TimeNs now,
            std::size_t slice = std::string_view::npos) {
  while (!bytes.empty()) {
    std::size_t given = 0;
    for (const iovec& piece : connection.ReceiveSpace()) {
      const std::size_t part = std::min({piece.iov_len, bytes.size() - given, slice - given});
      if (part == 0) break;
      std::memcpy(piece.iov_base, bytes.data() + given, part);
      given += part;
    }
    CHECK_GT(given, std::size_t{0});
    RETURN_IF_ERROR(connection.Received(given, now));
    bytes.remove_prefix(given);
  }
  return {};
}

// Everything that the connection has to say.
template <typename Connection>
std::string TakeOutput(Connection& connection) {
  std::string output;
  for (;;) {
    connection.Pump();
    std::array<iovec, 16> slices;
    const std::size_t count = connection.output().Slices(slices);
    if (count == 0) return output;
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      output.append(static_cast<const char*>(slices[i].iov_base), slices[i].iov_len);
      size += slices[i].iov_len;
    }
    connection.output().Sent(size);
  }
}

// Both sides talk until neither has anything left to say.
template <typename Connection>
Status Exchange(Http2Client& client, Connection& connection, TimeNs now,
                std::size_t slice = std::string_view::npos) {
  for (;;) {
    const std::string request = client.TakeOutput();
    RETURN_IF_ERROR(Feed(connection, request, now, slice));
    const std::string reply = TakeOutput(connection);
    if (!client.Receive(reply)) return Internal("the client's library rejected our bytes");
    if (request.empty() && reply.empty()) return {};
  }
}

}  // namespace penstock
