#include "frontend/acceptor.h"

#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace penstock::frontend {
namespace {

// Of one turn; the rest is still there in the next.
constexpr int kAcceptsPerTurn = 64;
// Without a free descriptor the listening socket would be ready for ever, and the loop would spin.
constexpr TimeNs kPause = 100 * kMillisecond;

}  // namespace

Acceptor::~Acceptor() {
  Disarm();
  if (watched_) loop_.Unwatch(socket_.fd.get());
}

Status Acceptor::Watch() {
  RETURN_IF_ERROR(loop_.Watch(socket_.fd.get(), EPOLLIN, *this));
  watched_ = true;
  return {};
}

void Acceptor::OnReady(std::uint32_t /*events*/) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    AcceptResult accepted = Accept(socket_.fd.get());
    if (accepted.outcome == AcceptOutcome::kNone) {
      // Said once nobody waits any more, or a crowd let in piecemeal would fill the log.
      if (std::exchange(out_of_resources_, false)) logger_.Info("connections are accepted again");
      return;
    }
    if (accepted.outcome == AcceptOutcome::kOutOfResources) {
      Pause();
      return;
    }
    // One too many is closed at once (the descriptor's owner does it): the peer can go elsewhere.
    if (ConnectionsInAll() < connections_max_) LeastLoaded().Adopt(std::move(accepted.fd));
  }
}

void Acceptor::Pause() {
  if (!std::exchange(out_of_resources_, true)) {
    logger_.Warning("no descriptor or memory left to accept a connection; trying again");
  }
  loop_.Unwatch(socket_.fd.get());
  watched_ = false;
  loop_.timers().Arm(*this, loop_.now() + kPause);
}

void Acceptor::OnTimer(TimeNs now) {
  if (!Watch().ok()) {
    loop_.timers().Arm(*this, now + kPause);
    return;
  }
  // At once: where the last one waiting took the last descriptor, no event would ever tell.
  OnReady(EPOLLIN);
}

void Acceptor::Deliver() {
  Disarm();
  if (watched_) loop_.Unwatch(socket_.fd.get());
  watched_ = false;
  socket_.fd.Reset();
}

LoopFrontend& Acceptor::LeastLoaded() const {
  const auto load = [](const std::unique_ptr<LoopFrontend>& loop) {
    return std::pair(loop->connections(), loop->calls_alive());
  };
  return **std::ranges::min_element(loops_, {}, load);
}

std::int64_t Acceptor::ConnectionsInAll() const {
  std::int64_t total = 0;
  for (const std::unique_ptr<LoopFrontend>& loop : loops_) total += loop->connections();
  return total;
}

}  // namespace penstock::frontend
