// The connections of one event loop: adopts what the acceptor deals, flushes at the end of each
// turn, looks after timeouts and the drain. The loop's thread only, except where noted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "base/intrusive_list.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "frontend/frontend.h"
#include "frontend/socket_connection.h"

namespace penstock::frontend {

// Counts loops that have nothing left; Frontend waits for all of them.
class DrainLatch final {
 public:
  void SetDrained(bool drained);
  // Until `loops` are drained or the deadline has passed; answers which.
  bool WaitFor(int loops, TimeNs timeout);

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  int drained_ = 0;
};

class LoopFrontend final : public TurnHook, public ConnectionOwner, private Timer {
 public:
  LoopFrontend(const FrontendOptions& options, LoopResources& resources, Service& service,
               DrainLatch& latch, Logger& logger);
  ~LoopFrontend();

  // Any thread: the connection will be served by this loop.
  void Adopt(UniqueFd fd);
  // Any thread; each once.
  void BeginDrain() { resources_.loop->Post(drain_); }
  void CloseConnections() { resources_.loop->Post(close_); }
  // Connections dealt to this loop and not yet closed. Any thread.
  std::int64_t connections() const { return connections_count_.load(std::memory_order_relaxed); }
  const metrics::Cells& cells() const { return resources_.cells; }
  std::int64_t calls_alive() const {
    return resources_.cells.Get(metrics::Counter::kCallsAccepted) -
           resources_.cells.Get(metrics::Counter::kCallsReleased);
  }

  void OnTurnEnd() override;
  void MarkDirty(SocketConnection& connection) override;

 private:
  // Runs a member on the loop when delivered.
  class Command final : public MailboxItem {
   public:
    Command(LoopFrontend& owner, void (LoopFrontend::*action)()) : owner_(owner), action_(action) {}
    void Deliver() override { (owner_.*action_)(); }

   private:
    LoopFrontend& owner_;
    void (LoopFrontend::* const action_)();
  };
  class Adoption;

  void OnTimer(TimeNs now) override;
  void OnAdopted(UniqueFd fd);
  void OnDrain();
  void OnClose();
  void Destroy(SocketConnection& connection);
  void UpdateDrained();

  LoopResources& resources_;
  DrainLatch& latch_;
  Logger& logger_;
  grpc::Router router_;
  grpc::ByteBudget budget_;
  grpc::CallContext context_;
  IntrusiveList<SocketConnection, OpenTag> open_;
  IntrusiveList<SocketConnection, DirtyTag> dirty_;
  Command drain_;
  Command close_;
  bool draining_ = false;
  bool drained_ = false;
  TimeNs finish_shutdown_at_ = kNever;
  // Raised by the acceptor, lowered here; only a load figure, it orders nothing.
  std::atomic<std::int64_t> connections_count_{0};
};

}  // namespace penstock::frontend
