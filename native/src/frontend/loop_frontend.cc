#include "frontend/loop_frontend.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace penstock::frontend {
namespace {

constexpr TimeNs kTick = 500 * kMillisecond;
// Between asking clients to open no more calls and telling which call was the last: the time that
// a request already under way may take to arrive.
constexpr TimeNs kShutdownNotice = 100 * kMillisecond;

std::size_t BudgetOf(const FrontendOptions& options) {
  // Split by loops, so that none waits for another; one message of the largest size always fits.
  return std::max(options.inflight_bytes_max / static_cast<std::size_t>(options.io_threads),
                  options.call_limits.message_bytes_max);
}

}  // namespace

void DrainLatch::SetDrained(bool drained) {
  const std::lock_guard<std::mutex> lock(mu_);
  drained_ += drained ? 1 : -1;
  changed_.notify_all();
}

bool DrainLatch::WaitFor(int loops, TimeNs timeout) {
  std::unique_lock<std::mutex> lock(mu_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(timeout),
                           [this, loops] { return drained_ == loops; });
}

// A connection on its way from the acceptor to its loop.
class LoopFrontend::Adoption final : public MailboxItem {
 public:
  Adoption(LoopFrontend& owner, UniqueFd fd) : owner_(owner), fd_(std::move(fd)) {}
  void Deliver() override {
    owner_.OnAdopted(std::move(fd_));
    delete this;
  }

 private:
  LoopFrontend& owner_;
  UniqueFd fd_;
};

LoopFrontend::LoopFrontend(const FrontendOptions& options, LoopResources& resources,
                           Service& service, DrainLatch& latch, Logger& logger)
    : resources_(resources),
      latch_(latch),
      logger_(logger),
      budget_(BudgetOf(options)),
      context_{.router = router_,
               .limits = options.call_limits,
               .buffers = resources.buffers,
               .blocks = resources.blocks,
               .timers = resources.loop->timers(),
               .budget = budget_,
               .cells = resources.cells},
      drain_(*this, &LoopFrontend::OnDrain),
      close_(*this, &LoopFrontend::OnClose) {
  service.AddMethods(router_);
  resources_.loop->AddTurnHook(*this);
}

LoopFrontend::~LoopFrontend() {
  OnClose();
  Disarm();
}

void LoopFrontend::Adopt(UniqueFd fd) {
  connections_count_.fetch_add(1, std::memory_order_relaxed);
  resources_.loop->Post(*new Adoption(*this, std::move(fd)));
}

void LoopFrontend::OnAdopted(UniqueFd fd) {
  auto* connection = new SocketConnection(std::move(fd), *resources_.loop, context_, *this);
  resources_.cells.Add(metrics::Counter::kConnectionsOpened);
  open_.PushBack(*connection);
  if (const Status status = connection->Watch(); !status.ok() || draining_) {
    if (!status.ok()) logger_.Warning("connection refused", {{"reason", status.ToString()}});
    Destroy(*connection);
    return;
  }
  if (!armed()) resources_.loop->timers().Arm(*this, resources_.loop->now() + kTick);
}

void LoopFrontend::MarkDirty(SocketConnection& connection) {
  if (!static_cast<ListLink<DirtyTag>&>(connection).linked()) dirty_.PushBack(connection);
}

void LoopFrontend::OnTurnEnd() {
  // Those that ask again while they are flushed have their next turn, not this one.
  IntrusiveList<SocketConnection, DirtyTag> flushing;
  flushing.Splice(dirty_);
  while (SocketConnection* connection = flushing.PopFront()) {
    if (connection->Flush() == SocketConnection::State::kFinished) Destroy(*connection);
  }
  // What asked for another turn must not sleep until the next event.
  if (!dirty_.empty()) resources_.loop->RunSoon();
  if (draining_) UpdateDrained();
}

void LoopFrontend::Destroy(SocketConnection& connection) {
  static_cast<ListLink<OpenTag>&>(connection).Unlink();
  static_cast<ListLink<DirtyTag>&>(connection).Unlink();
  delete &connection;
  resources_.cells.Add(metrics::Counter::kConnectionsClosed);
  connections_count_.fetch_sub(1, std::memory_order_relaxed);
}

void LoopFrontend::OnTimer(TimeNs now) {
  for (SocketConnection* connection = open_.front(); connection != nullptr;
       connection = open_.Next(*connection)) {
    connection->Tick(now);
    if (now >= finish_shutdown_at_) connection->FinishShutdown();
  }
  if (now >= finish_shutdown_at_) finish_shutdown_at_ = kNever;
  if (!open_.empty()) {
    resources_.loop->timers().Arm(*this, std::min(now + kTick, finish_shutdown_at_));
  }
}

void LoopFrontend::OnDrain() {
  draining_ = true;
  const TimeNs now = resources_.loop->now();
  for (SocketConnection* connection = open_.front(); connection != nullptr;
       connection = open_.Next(*connection)) {
    connection->BeginShutdown();
  }
  finish_shutdown_at_ = now + kShutdownNotice;
  if (!open_.empty()) resources_.loop->timers().Arm(*this, finish_shutdown_at_);
}

void LoopFrontend::OnClose() {
  while (SocketConnection* connection = open_.front()) Destroy(*connection);
}

void LoopFrontend::UpdateDrained() {
  const bool drained = open_.empty() && calls_alive() == 0;
  if (drained == drained_) return;
  drained_ = drained;
  latch_.SetDrained(drained);
}

}  // namespace penstock::frontend
