#include "frontend/socket_connection.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <utility>

#include "net/socket.h"

namespace penstock::frontend {
namespace {

// One connection's share of a turn: a few large reads, or many small ones received in place.
constexpr std::size_t kReadBytesPerTurn = std::size_t{512} << 10;
constexpr std::size_t kSlicesPerWrite = 64;
// One connection's share of the output side of a turn; a fast reader gets the rest next turn.
constexpr std::size_t kWriteBytesPerTurn = std::size_t{4} << 20;

// What a connection sends may wait so long before it is read: twice what its calls may wait in a
// queue by default.
constexpr TimeNs kSocketDelayMax = kSecond;

// How long a peer may take to close its side.
constexpr TimeNs kLingerMax = kSecond;

// What a connection may take of a turn in small messages. A turn that takes in thousands has
// forgotten the first when it comes to answer it, and each of them costs several times as much: the
// more connections are ready, the smaller is the share, and the rest waits in the socket.
struct SmallShare {
  std::int64_t calls = 0;
  std::size_t bytes = 0;  // of one read
};

SmallShare SmallShareOf(int ready) {
  return {.calls = std::clamp(2048 / ready, 8, 64),
          .bytes = std::clamp((std::size_t{1} << 20) / static_cast<std::size_t>(ready),
                              std::size_t{4} << 10, std::size_t{64} << 10)};
}

std::size_t TotalOf(std::span<const iovec> pieces) {
  std::size_t total = 0;
  for (const iovec& piece : pieces) total += piece.iov_len;
  return total;
}

}  // namespace

SocketConnection::SocketConnection(UniqueFd fd, IoLoop& loop, grpc::CallContext& context,
                                   ConnectionOwner& owner)
    : fd_(std::move(fd)),
      loop_(loop),
      owner_(owner),
      calls_(context.cells),
      write_stall_timeout_(context.limits.write_stall_timeout),
      grpc_(context, *this, loop.now()),
      wrote_at_(loop.now()),
      delay_(kSocketDelayMax) {
  grpc_.set_client(PeerAddressKey(fd_.get()));
}

SocketConnection::~SocketConnection() {
  if (watched_events_ != 0) loop_.Unwatch(fd_.get());
}

Status SocketConnection::Watch() {
  RETURN_IF_ERROR(loop_.Watch(fd_.get(), EPOLLIN, *this));
  watched_events_ = EPOLLIN;
  OnOutput();  // our SETTINGS
  return {};
}

void SocketConnection::OnReady(std::uint32_t events) {
  if (lingering_) {
    Discard();
  } else if (closing_) {
    broken_ |= (events & (EPOLLERR | EPOLLHUP)) != 0;
  } else if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
    Read();
  }
  if ((events & EPOLLOUT) != 0) write_blocked_ = false;
  owner_.MarkDirty(*this);
}

void SocketConnection::Read() {
  std::size_t taken = 0;
  const SmallShare share = SmallShareOf(loop_.ready());
  const std::int64_t calls_before = calls_.Get(metrics::Counter::kCallsAccepted);
  while (taken < kReadBytesPerTurn) {
    std::span<const iovec> space = grpc_.ReceiveSpace();
    iovec part = space.front();
    if (grpc_.in_shared_buffer()) {
      part.iov_len = std::min(part.iov_len, share.bytes);
      space = {&part, 1};
    }
    const ssize_t n = readv(fd_.get(), space.data(), static_cast<int>(space.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return NoteDelay(taken, /*drained=*/true);
    if (n <= 0) {
      broken_ = true;
      return;
    }
    const auto size = static_cast<std::size_t>(n);
    const bool all_filled = size == TotalOf(space);
    taken += size;
    if (!grpc_.Received(size, loop_.now()).ok()) {
      closing_ = true;
      return;
    }
    if (!all_filled) return NoteDelay(taken, /*drained=*/true);
    if (calls_.Get(metrics::Counter::kCallsAccepted) - calls_before >= share.calls) {
      loop_.RunSoon();
      break;
    }
  }
  NoteDelay(taken, /*drained=*/false);
}

// How long what a turn leaves behind has to wait.
void SocketConnection::NoteDelay(std::size_t read, bool drained) {
  delay_.Read(read, drained, loop_.now());
  int unread = 0;
  if (!drained && !delay_.marked() && ioctl(fd_.get(), FIONREAD, &unread) == 0 && unread > 0) {
    delay_.Mark(static_cast<std::size_t>(unread), loop_.now());
  }
  grpc_.SetOverload(delay_.overloaded() ? delay_.delay() : 0);
}

// What a peer still sends when all is said. Read, because closing a socket with unread bytes makes
// the system reset the connection, and with it what the peer has not read yet.
void SocketConnection::Discard() {
  std::array<std::byte, 4096> unwanted;
  for (std::size_t taken = 0; taken < kReadBytesPerTurn; taken += unwanted.size()) {
    const ssize_t n = recv(fd_.get(), unwanted.data(), unwanted.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      broken_ = true;
      return;
    }
  }
}

SocketConnection::State SocketConnection::Linger() {
  if (!std::exchange(lingering_, true)) {
    shutdown(fd_.get(), SHUT_WR);
    lingering_since_ = loop_.now();
  }
  UpdateWatch();
  return State::kOpen;
}

SocketConnection::State SocketConnection::Flush() {
  // What is framed now begins to wait now.
  if (grpc_.output().empty()) wrote_at_ = loop_.now();
  std::size_t pumped = 0;
  while (!broken_ && !write_blocked_ && pumped < kWriteBytesPerTurn) {
    grpc_.Pump();
    if (grpc_.output().empty()) break;
    pumped += grpc_.output().pending_bytes();
    if (!WriteSome()) break;
  }
  if (pumped >= kWriteBytesPerTurn) owner_.MarkDirty(*this);
  if (broken_) return State::kFinished;
  if (grpc_.Done() || (closing_ && grpc_.output().empty())) return Linger();
  UpdateWatch();
  return State::kOpen;
}

// False once the socket takes no more.
bool SocketConnection::WriteSome() {
  ByteQueue& output = grpc_.output();
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
      broken_ = true;
    }
    return false;
  }
  wrote_at_ = loop_.now();
  const auto size = static_cast<std::size_t>(n);
  output.Sent(size);
  write_blocked_ = size < total;
  return !write_blocked_;
}

void SocketConnection::UpdateWatch() {
  std::uint32_t events = 0;
  // A peer that does not read its answers is not read from either.
  const bool output_full = grpc_.output().pending_bytes() >= http2::Connection::kOutputHighWater;
  if (lingering_ || (!closing_ && !output_full)) events |= EPOLLIN;
  if (write_blocked_) events |= EPOLLOUT;
  if (events == watched_events_) return;
  watched_events_ = events;
  loop_.Rewatch(fd_.get(), events, *this);
}

void SocketConnection::Tick(TimeNs now) {
  if (lingering_) {
    broken_ = now - lingering_since_ > kLingerMax;
    if (broken_) owner_.MarkDirty(*this);
    return;
  }
  if (!grpc_.CheckTimeouts(now).ok()) closing_ = true;
  if (!grpc_.output().empty()) {
    // Whoever reads this slowly gets a copy of its own, and the batch's memory goes free.
    if (write_blocked_) grpc_.output().CopyBorrowed();
    if (now - wrote_at_ > write_stall_timeout_) broken_ = true;
  }
  if (closing_ || broken_) owner_.MarkDirty(*this);
}

}  // namespace penstock::frontend
