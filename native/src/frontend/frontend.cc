#include "frontend/frontend.h"

#include <algorithm>

#include "base/strings.h"
#include "base/thread.h"
#include "frontend/acceptor.h"
#include "frontend/loop_frontend.h"

namespace penstock::frontend {

Result<std::unique_ptr<Frontend>> Frontend::Create(const FrontendOptions& options,
                                                   const Clock& clock, Logger& logger,
                                                   const ServiceFactory& service_factory) {
  ASSIGN_OR_RETURN(ListeningSocket socket, Listen(options.host, options.port));
  std::unique_ptr<Frontend> frontend(new Frontend());
  frontend->port_ = socket.port;
  frontend->latch_ = std::make_unique<DrainLatch>();
  for (int i = 0; i < options.io_threads; ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<IoLoop> loop, IoLoop::Create(clock));
    auto resources = std::make_unique<LoopResources>(static_cast<std::size_t>(i), std::move(loop));
    // The service's turn hook comes before the connections' one: what it answers leaves this turn.
    std::unique_ptr<Service> service = service_factory(*resources);
    frontend->loops_.push_back(
        std::make_unique<LoopFrontend>(options, *resources, *service, *frontend->latch_, logger));
    frontend->resources_.push_back(std::move(resources));
    frontend->services_.push_back(std::move(service));
  }
  frontend->acceptor_ =
      std::make_unique<Acceptor>(std::move(socket), *frontend->resources_.front()->loop,
                                 frontend->loops_, options.connections_max, logger);
  RETURN_IF_ERROR(frontend->acceptor_->Watch());
  return frontend;
}

Frontend::Frontend() = default;

Frontend::~Frontend() {
  Join();
  acceptor_.reset();
  loops_.clear();
}

void Frontend::Start() {
  for (std::size_t i = 0; i < resources_.size(); ++i) {
    IoLoop& loop = *resources_[i]->loop;
    threads_.push_back(StartThread(StrCat("io-", i), 0, [&loop] { loop.Run(); }));
  }
}

void Frontend::BeginDrain() {
  acceptor_->Close();
  for (const std::unique_ptr<LoopFrontend>& loop : loops_) loop->BeginDrain();
}

bool Frontend::WaitDrained(TimeNs timeout) {
  return latch_->WaitFor(static_cast<int>(loops_.size()), timeout);
}

void Frontend::CloseConnections() {
  for (const std::unique_ptr<LoopFrontend>& loop : loops_) loop->CloseConnections();
}

void Frontend::Join() {
  // One after the other, the accepting loop first: what it hands to the others is still delivered.
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    resources_[i]->loop->RequestStop();
    threads_[i].join();
  }
  threads_.clear();
}

std::int64_t Frontend::Count(metrics::Counter counter) const {
  std::int64_t total = 0;
  for (const std::unique_ptr<LoopResources>& resources : resources_) {
    total += resources->cells.Get(counter);
  }
  return total;
}

std::int64_t Frontend::live_connections() const {
  std::int64_t total = 0;
  for (const std::unique_ptr<LoopFrontend>& loop : loops_) total += loop->connections();
  return total;
}

std::int64_t Frontend::live_calls() const {
  return Count(metrics::Counter::kCallsAccepted) - Count(metrics::Counter::kCallsReleased);
}

std::int64_t Frontend::live_buffers() const {
  std::int64_t total = 0;
  for (const std::unique_ptr<LoopResources>& resources : resources_) {
    total += resources->buffers.live();
  }
  return total;
}

}  // namespace penstock::frontend
