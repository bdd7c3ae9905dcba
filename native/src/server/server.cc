// The composition root: builds every layer, connects them, and takes them apart in reverse order.
// The only file that knows them all.
#include <utility>

#include <penstock/server.h>

#include "base/clock.h"
#include "base/strings.h"
#include "engine/model_host.h"
#include "frontend/frontend.h"
#include "inference/inference_service.h"
#include "inference/turn_pacing.h"
#include "metrics/cell.h"
#include "runtime/granted_cores.h"
#include "runtime/loop_watch.h"
#include "server/metrics_page.h"

#ifndef PENSTOCK_VERSION
#error "PENSTOCK_VERSION comes from the build"
#endif

namespace penstock {
namespace {

frontend::FrontendOptions FrontendOptionsOf(const ServerOptions& options) {
  return {.host = options.host,
          .port = static_cast<std::uint16_t>(options.grpc_port),
          .io_threads = ThreadsOf(options.io_threads),
          .call_limits = {.message_bytes_max = static_cast<std::size_t>(options.max_message_bytes),
                          .max_concurrent_streams =
                              static_cast<std::uint32_t>(options.max_concurrent_streams),
                          .header_timeout = options.header_timeout_ms * kMillisecond,
                          .body_timeout = options.body_timeout_ms * kMillisecond,
                          .write_stall_timeout = options.write_stall_timeout_ms * kMillisecond},
          .inflight_bytes_max = static_cast<std::size_t>(options.max_inflight_bytes),
          .connections_max = options.max_connections};
}

// The inference service as the frontend wants it.
class LoopService final : public frontend::Service, public TurnHook {
 public:
  LoopService(const InferenceService::Resources& resources, IoLoop& loop, metrics::Cell& stalls,
              bool shares_cores)
      : service_(resources),
        loop_(loop),
        watch_(resources.watchdog, loop, resources.loop_index, stalls),
        pacing_(shares_cores) {
    loop.AddTurnHook(*this);
  }
  void AddMethods(grpc::Router& router) override { service_.AddMethods(router); }
  void OnTurnEnd() override {
    const TurnOutcome turn = service_.RunTurn(loop_.now());
    loop_.Rest(pacing_.RestAfter(turn, loop_.now()));
  }

 private:
  InferenceService service_;
  IoLoop& loop_;
  LoopWatch watch_;
  TurnPacing pacing_;
};

}  // namespace

// Members in the order of construction; destroyed in reverse.
class Server::Impl final {
 public:
  explicit Impl(const ServerOptions& options) : host_(options, clock_) {}
  ~Impl() { Stop(std::chrono::milliseconds(0)); }

  Status Start(const std::vector<ModelSource>& models);
  bool Stop(std::chrono::milliseconds drain_timeout);

  const ServerOptions& options() const { return host_.options(); }
  const std::vector<ModelReport>& reports() const { return host_.reports(); }
  std::uint16_t port() const { return frontend_->port(); }
  LiveCounts live_counts() const;
  std::string metrics_text() { return MetricsPage(host_, *frontend_, loop_stalls_.Get()); }

 private:
  Status StartFrontend();

  const SteadyClock clock_;
  ServerState state_;
  const ReflectionIndex reflection_;
  ModelHost host_;
  metrics::Cell loop_stalls_;  // the watchdog counts
  std::unique_ptr<frontend::Frontend> frontend_;
  bool stopped_ = false;
};

Status Server::Impl::Start(const std::vector<ModelSource>& models) {
  const TimeNs began = clock_.Now();
  state_.version = PENSTOCK_VERSION;
  RETURN_IF_ERROR(host_.Load(models));
  RETURN_IF_ERROR(StartFrontend());
  host_.StartComputing();
  frontend_->Start();
  host_.logger().Info("serving", {{"host", options().host},
                                  {"grpc_port", StrCat(frontend_->port())},
                                  {"models", StrCat(reports().size())},
                                  {"start_ms", StrCat((clock_.Now() - began) / kMillisecond)}});
  return {};
}

Status Server::Impl::StartFrontend() {
  const bool shares_cores = ThreadsOf(options().compute_threads) >= ThreadsForCores(GrantedCores());
  const frontend::ServiceFactory factory =
      [this, shares_cores](frontend::LoopResources& loop) -> std::unique_ptr<frontend::Service> {
    return std::make_unique<LoopService>(
        InferenceService::Resources{.state = state_,
                                    .models = host_.models(),
                                    .reports = host_.reports(),
                                    .reflection = reflection_,
                                    .scheduler = host_.scheduler(),
                                    .clock = clock_,
                                    .watchdog = host_.watchdog(),
                                    .logger = host_.logger(),
                                    .loop_index = loop.index,
                                    .home = *loop.loop,
                                    .buffers = loop.buffers,
                                    .cells = loop.cells,
                                    .report_batch_size = options().report_batch_size,
                                    .count_calls = !options().no_model_metrics},
        *loop.loop, loop_stalls_, shares_cores);
  };
  ASSIGN_OR_RETURN(frontend_, frontend::Frontend::Create(FrontendOptionsOf(options()), clock_,
                                                         host_.logger(), factory));
  return {};
}

// In this order, so that nothing is ever posted to what is gone: no new work; what was accepted
// ends; the compute threads end; what they posted is delivered; the loops end.
bool Server::Impl::Stop(std::chrono::milliseconds drain_timeout) {
  if (frontend_ == nullptr || std::exchange(stopped_, true)) return true;
  state_.ready.store(false, std::memory_order_relaxed);
  frontend_->BeginDrain();
  const bool closed = frontend_->WaitDrained(drain_timeout.count() * kMillisecond);
  // A client that keeps its connection without a call on it holds nothing up.
  const bool drained = closed || frontend_->live_calls() == 0;
  if (!closed) frontend_->CloseConnections();
  if (!drained) {
    host_.logger().Warning("drain timed out",
                           {{"calls_cancelled", StrCat(frontend_->live_calls())}});
    host_.TerminateRuns();
  }
  host_.StopComputing();
  frontend_->Join();
  return drained;
}

Server::LiveCounts Server::Impl::live_counts() const {
  return {.connections = frontend_->live_connections(),
          .calls = frontend_->live_calls(),
          .buffers = frontend_->live_buffers(),
          .accepted = frontend_->Count(metrics::Counter::kCallsAccepted),
          .finished = frontend_->Count(metrics::Counter::kCallsFinished)};
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

std::unique_ptr<Server> Server::Create(const ServerOptions& options,
                                       const std::vector<ModelSource>& models, Error* error) {
  auto impl = std::make_unique<Impl>(options);
  if (const Status status = impl->Start(models); !status.ok()) {
    *error = {.code = static_cast<int>(status.code()), .message = std::string(status.message())};
    return nullptr;
  }
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const std::string& Server::host() const {
  return impl_->options().host;
}
std::uint16_t Server::grpc_port() const {
  return impl_->port();
}
const std::vector<ModelReport>& Server::models() const {
  return impl_->reports();
}
bool Server::Stop(std::chrono::milliseconds drain_timeout) {
  return impl_->Stop(drain_timeout);
}
Server::LiveCounts Server::live_counts() const {
  return impl_->live_counts();
}
std::string Server::metrics_text() {
  return impl_->metrics_text();
}

}  // namespace penstock
