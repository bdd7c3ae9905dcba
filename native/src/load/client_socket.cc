#include "load/client_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <utility>

#include "base/strings.h"

namespace penstock::load {
namespace {

// One connection's share of a turn.
constexpr std::size_t kReadBytesPerTurn = std::size_t{256} << 10;
constexpr std::size_t kSlicesPerWrite = 64;
constexpr std::size_t kWriteBytesPerTurn = std::size_t{4} << 20;

std::size_t TotalOf(std::span<const iovec> pieces) {
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

}  // namespace

ClientSocket::ClientSocket(const SocketAddress& address, const std::optional<SocketAddress>& source,
                           IoLoop& loop, BlockPool& blocks, BufferPool& buffers, SocketOwner& owner)
    : loop_(loop), owner_(owner), connection_(blocks, buffers) {
  Result<UniqueFd> begun = BeginConnect(address, source);
  if (!begun.ok()) {
    Lose(std::string(begun.status().message()));
    return;
  }
  fd_ = std::move(begun).value();
  const Status watched = loop_.Watch(fd_.get(), EPOLLOUT, *this);
  if (!watched.ok()) {
    Lose(std::string(watched.message()));
    return;
  }
  watched_events_ = EPOLLOUT;
}

ClientSocket::~ClientSocket() {
  Lose("the connection was closed");
  Unlink();
}

void ClientSocket::Lose(const std::string& why) {
  if (state_ == State::kLost) return;
  state_ = State::kLost;
  failure_ = why;
  if (watched_events_ != 0) loop_.Unwatch(fd_.get());
  watched_events_ = 0;
  fd_.Reset();
  connection_.Lose(failure_);
  owner_.MarkDirty(*this);
}

void ClientSocket::OnReady(std::uint32_t events) {
  owner_.MarkDirty(*this);
  if (state_ == State::kConnecting) {
    OnConnected();
    return;
  }
  if ((events & EPOLLOUT) != 0) write_blocked_ = false;
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) Read();
}

void ClientSocket::OnConnected() {
  const Status connected = ConnectError(fd_.get());
  if (!connected.ok()) {
    Lose(std::string(connected.message()));
    return;
  }
  state_ = State::kGreeting;
  UpdateWatch();
}

void ClientSocket::Read() {
  std::size_t taken = 0;
  while (taken < kReadBytesPerTurn) {
    const std::span<const iovec> space = connection_.ReceiveSpace();
    const ssize_t n = readv(fd_.get(), space.data(), static_cast<int>(space.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      Lose(n == 0 ? "the server closed the connection"
                  : StrCat("the connection broke: ", strerror(errno)));
      return;
    }
    active_ = true;
    const auto size = static_cast<std::size_t>(n);
    const bool all_filled = size == TotalOf(space);
    taken += size;
    // Read afresh: an answer's latency ends when its bytes are here, not when the turn began.
    const Status received = connection_.Received(size, loop_.clock().Now());
    if (!received.ok()) {
      Lose(StrCat("the server broke the protocol: ", received.message()));
      return;
    }
    if (state_ == State::kGreeting && connection_.ready()) state_ = State::kOpen;
    if (!all_filled) return;
  }
}

bool ClientSocket::Flush() {
  if (state_ == State::kConnecting || state_ == State::kLost) return false;
  std::size_t pumped = 0;
  while (!write_blocked_ && pumped < kWriteBytesPerTurn) {
    connection_.Pump();
    if (connection_.output().empty()) break;
    pumped += connection_.output().pending_bytes();
    if (!WriteSome()) break;
  }
  if (state_ == State::kLost) return true;
  // A violation was answered by GOAWAY. Without calls it may as well be the peer's own farewell.
  if (connection_.done() && (state_ == State::kGreeting || connection_.calls() > 0)) {
    Lose(state_ == State::kGreeting ? "what listens there does not speak HTTP/2"
                                    : "the server broke the protocol");
    return true;
  }
  if (pumped >= kWriteBytesPerTurn) owner_.MarkDirty(*this);
  UpdateWatch();
  return pumped > 0;
}

// False once the socket takes no more.
bool ClientSocket::WriteSome() {
  ByteQueue& output = connection_.output();
  std::array<iovec, kSlicesPerWrite> slices;
  msghdr message{};
  message.msg_iov = slices.data();
  message.msg_iovlen = output.Slices(slices);
  const std::size_t total = TotalOf(std::span(slices).first(message.msg_iovlen));
  const ssize_t n = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
  if (n < 0) {
    if (errno == EINTR) return true;
    if (errno == EAGAIN) {
      write_blocked_ = true;
    } else {
      Lose(StrCat("the connection broke: ", strerror(errno)));
    }
    return false;
  }
  const auto size = static_cast<std::size_t>(n);
  output.Sent(size);
  write_blocked_ = size < total;
  return !write_blocked_;
}

void ClientSocket::UpdateWatch() {
  const std::uint32_t events = EPOLLIN | (write_blocked_ ? std::uint32_t{EPOLLOUT} : 0);
  if (events == watched_events_) return;
  watched_events_ = events;
  loop_.Rewatch(fd_.get(), events, *this);
}

}  // namespace penstock::load
