// An Http2Client on a real loopback socket. One thread; never blocks but in Pump, for as long as it
// is told.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/unique_fd.h"
#include "support/http2_client.h"
#include "support/wait_for.h"

namespace penstock {

// Null: not connected.
class SocketClient final {
 public:
  static std::unique_ptr<SocketClient> Connect(std::uint16_t port,
                                               const Http2Client::Options& options = {}) {
    return Connect(NewSocket(), port, options);
  }
  // In two steps, for a test that runs out of descriptors between them.
  static UniqueFd NewSocket() { return UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
  static std::unique_ptr<SocketClient> Connect(UniqueFd fd, std::uint16_t port,
                                               const Http2Client::Options& options = {}) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!fd.valid() ||
        connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      return nullptr;
    }
    CHECK_EQ(fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
    return std::unique_ptr<SocketClient>(new SocketClient(std::move(fd), options));
  }

  Http2Client& http() { return http_; }
  int fd() const { return fd_.get(); }
  bool ended() const { return ended_; }

  // Sends at most `send_max` bytes of what waits and receives what is there, after waiting up to
  // `timeout_ms` for either. False: the server has closed the connection.
  bool Pump(int timeout_ms, std::size_t send_max = std::string::npos) {
    if (ended_) return false;
    if (unsent_.empty()) unsent_ = http_.TakeOutput();
    pollfd ready = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (!unsent_.empty()) ready.events |= POLLOUT;
    if (poll(&ready, 1, timeout_ms) <= 0) return true;
    if ((ready.revents & POLLOUT) != 0) Send(send_max);
    if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0) Receive();
    return !ended_;
  }
  // Pumps until `done`, for thirty seconds at most. False: it did not come to that.
  bool PumpUntil(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      if (!Pump(100)) return done();
    }
    return true;
  }
  // Raw bytes, before anything of http().
  void SendRaw(std::string_view bytes) { unsent_.append(bytes); }
  bool has_unsent() const { return !unsent_.empty(); }
  // The next close is a TCP reset.
  void Abort() {
    const linger now = {.l_onoff = 1, .l_linger = 0};
    CHECK_EQ(setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    fd_.Reset();
    ended_ = true;
  }

 private:
  SocketClient(UniqueFd fd, const Http2Client::Options& options)
      : fd_(std::move(fd)), http_(options) {}

  void Send(std::size_t send_max) {
    const ssize_t n =
        send(fd_.get(), unsent_.data(), std::min(send_max, unsent_.size()), MSG_NOSIGNAL);
    if (n > 0) unsent_.erase(0, static_cast<std::size_t>(n));
    if (n < 0 && errno != EAGAIN) ended_ = true;
  }
  void Receive() {
    std::array<char, 65'536> bytes;
    const ssize_t n = recv(fd_.get(), bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      // As clients do: the server waits a while for this.
      fd_.Reset();
      ended_ = true;
      return;
    }
    CHECK(http_.Receive({bytes.data(), static_cast<std::size_t>(n)}));
  }

  UniqueFd fd_;
  Http2Client http_;
  std::string unsent_;
  bool ended_ = false;
};

}  // namespace penstock
