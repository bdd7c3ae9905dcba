// A raw TCP echo on our event loop and sockets: what a round trip costs on this machine before any
// protocol. The floor under the latency of every server in the benchmark.
//
//   tcp_echo_server [--port N]
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "net/socket.h"
#include "runtime/io_loop.h"

namespace penstock {
namespace {

// Sends back what it reads; what the socket does not take at once waits for EPOLLOUT.
class EchoConnection final : public Pollable {
 public:
  EchoConnection(UniqueFd fd, IoLoop& loop) : fd_(std::move(fd)), loop_(loop) {
    CHECK(loop_.Watch(fd_.get(), EPOLLIN, *this).ok());
  }

  void OnReady(std::uint32_t events) override {
    if ((events & EPOLLOUT) != 0 && !Send()) return;
    while (true) {
      const ssize_t n = recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) {
        loop_.Unwatch(fd_.get());
        delete this;
        return;
      }
      begin_ = 0;
      end_ = static_cast<std::size_t>(n);
      const bool filled = end_ == buffer_.size();
      if (!Send() || !filled) return;
    }
  }

 private:
  // True once everything read is sent.
  bool Send() {
    while (begin_ < end_) {
      const ssize_t n = send(fd_.get(), buffer_.data() + begin_, end_ - begin_, MSG_NOSIGNAL);
      if (n < 0) {
        loop_.Rewatch(fd_.get(), EPOLLOUT, *this);
        waiting_ = true;
        return false;
      }
      begin_ += static_cast<std::size_t>(n);
    }
    if (std::exchange(waiting_, false)) loop_.Rewatch(fd_.get(), EPOLLIN, *this);
    return true;
  }

  const UniqueFd fd_;
  IoLoop& loop_;
  std::array<char, 65536> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool waiting_ = false;
};

class Listener final : public Pollable {
 public:
  Listener(int fd, IoLoop& loop) : fd_(fd), loop_(loop) {
    CHECK(loop_.Watch(fd_, EPOLLIN, *this).ok());
  }
  void OnReady(std::uint32_t /*events*/) override {
    while (true) {
      AcceptResult accepted = Accept(fd_);
      if (accepted.outcome != AcceptOutcome::kAccepted) return;
      new EchoConnection(std::move(accepted.fd), loop_);  // deletes itself when the peer leaves
    }
  }

 private:
  const int fd_;
  IoLoop& loop_;
};

int Main(int argc, char** argv) {
  std::uint16_t port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string_view(argv[i]) == "--port") {
      port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    }
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const SteadyClock clock;
  Result<ListeningSocket> socket = Listen("127.0.0.1", port);
  if (!socket.ok()) {
    std::fprintf(stderr, "tcp_echo_server: %s\n", socket.status().ToString().c_str());
    return 1;
  }
  Result<std::unique_ptr<IoLoop>> loop = IoLoop::Create(clock);
  CHECK(loop.ok());
  Listener listener(socket->fd.get(), **loop);
  std::thread thread = StartThread("io-0", 0, [&loop] { (*loop)->Run(); });
  std::printf("ready grpc=127.0.0.1:%d\n", socket->port);
  std::fflush(stdout);
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  (*loop)->RequestStop();
  thread.join();
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  return penstock::Main(argc, argv);
}
