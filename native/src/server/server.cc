// The composition root: builds every layer, connects them, and takes them apart in reverse order.
// The only file that knows them all.
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include <penstock/server.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strings.h"
#include "batching/batch_worker.h"
#include "batching/scheduler.h"
#include "frontend/frontend.h"
#include "inference/inference_service.h"
#include "model/model_table.h"
#include "runtime/compute_pool.h"
#include "runtime/granted_cores.h"
#include "session/ort_runtime.h"

#ifndef PENSTOCK_VERSION
#error "PENSTOCK_VERSION comes from the build"
#endif

namespace penstock {
namespace {

Logger::Options LogOptions(const ServerOptions& options) {
  return {.severity_min = static_cast<LogSeverity>(options.log_level),
          .json = options.log_format == LogFormat::kJson};
}

// 0 stands for the cores that were granted, a fraction counting as one.
int ThreadsOf(std::int64_t configured) {
  if (configured > 0) return static_cast<int>(configured);
  return std::max(1, static_cast<int>(std::ceil(GrantedCores())));
}

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

WarmupConfig::Execution ExecutionOf(Execution execution) {
  switch (execution) {
    case Execution::kInline:
      return WarmupConfig::Execution::kInline;
    case Execution::kPool:
      return WarmupConfig::Execution::kPool;
    case Execution::kAuto:
      break;
  }
  return WarmupConfig::Execution::kAuto;
}

std::vector<TensorReport> TensorReportsOf(std::span<const TensorSpec> specs) {
  std::vector<TensorReport> reports;
  for (const TensorSpec& spec : specs) {
    const std::span<const std::int64_t> dims = spec.shape.dims();
    reports.push_back({.name = spec.name,
                       .datatype = std::string(DataTypeName(spec.dtype)),
                       .shape = {dims.begin(), dims.end()}});
  }
  return reports;
}

ModelReport ReportOf(const ModelVersion& model, const std::vector<std::string>& providers) {
  const WarmupReport& warmup = model.warmup();
  return {.name = model.name(),
          .version = model.version(),
          .inputs = TensorReportsOf(model.inputs()),
          .outputs = TensorReportsOf(model.outputs()),
          .providers = providers,
          .probe_note = warmup.probe_note,
          .batchable = warmup.batchable,
          .batchable_reason = warmup.batchable_reason,
          .execution = warmup.run_inline ? "inline" : "pool",
          .execution_reason = warmup.execution_reason,
          .max_batch_size = warmup.max_batch_size,
          .l1_us = static_cast<double>(warmup.l1_ns) / 1000,
          .lmax_us = static_cast<double>(warmup.lmax_ns) / 1000};
}

// The inference service as the frontend wants it.
class LoopService final : public frontend::Service, public TurnHook {
 public:
  LoopService(const InferenceService::Resources& resources, IoLoop& loop) : service_(resources) {
    loop.AddTurnHook(*this);
  }
  void AddMethods(grpc::Router& router) override { service_.AddMethods(router); }
  void OnTurnEnd() override { service_.RunTurn(); }

 private:
  InferenceService service_;
};

}  // namespace

// Members in the order of construction; destroyed in reverse.
class Server::Impl final {
 public:
  explicit Impl(const ServerOptions& options)
      : options_(options),
        logger_(LogOptions(options)),
        scheduler_(clock_, ThreadsOf(options.compute_threads)) {}
  ~Impl() { Stop(std::chrono::milliseconds(0)); }

  Status Start(const std::vector<ModelSource>& models);
  bool Stop(std::chrono::milliseconds drain_timeout);

  const ServerOptions& options() const { return options_; }
  const std::vector<ModelReport>& reports() const { return reports_; }
  std::uint16_t port() const { return frontend_->port(); }
  LiveCounts live_counts() const;

 private:
  Status Load(const ModelSource& source);
  Status StartFrontend();

  const ServerOptions options_;
  const SteadyClock clock_;
  Logger logger_;
  ServerState state_;
  const ReflectionIndex reflection_;
  std::unique_ptr<OrtRuntime> runtime_;
  ModelTable models_;
  std::vector<ModelReport> reports_;
  Scheduler scheduler_;
  std::unique_ptr<frontend::Frontend> frontend_;
  std::unique_ptr<ComputePool> compute_pool_;
  bool stopped_ = false;
};

Status Server::Impl::Start(const std::vector<ModelSource>& models) {
  const TimeNs began = clock_.Now();
  state_.version = PENSTOCK_VERSION;
  ASSIGN_OR_RETURN(runtime_, OrtRuntime::Open(options_.onnxruntime_library, &logger_));
  for (const ModelSource& source : models) RETURN_IF_ERROR(Load(source));
  RETURN_IF_ERROR(StartFrontend());
  compute_pool_ = std::make_unique<ComputePool>(ThreadsOf(options_.compute_threads), [this] {
    BatchWorker worker(scheduler_, clock_);
    while (worker.WorkOnce()) {
    }
  });
  frontend_->Start();
  logger_.Info("serving", {{"host", options_.host},
                           {"grpc_port", StrCat(frontend_->port())},
                           {"models", StrCat(models_.versions().size())},
                           {"start_ms", StrCat((clock_.Now() - began) / kMillisecond)}});
  return {};
}

Status Server::Impl::Load(const ModelSource& source) {
  const ModelOptions& options = source.options;
  const std::vector<std::string>& providers =
      options.providers.empty() ? options_.providers : options.providers;
  const TimeNs began = clock_.Now();
  ASSIGN_OR_RETURN(
      std::unique_ptr<Session> session,
      runtime_->CreateSession({.model_path = source.path,
                               .intra_op_threads = static_cast<int>(options.intra_op_threads),
                               .providers = providers,
                               .provider_libraries = options_.provider_libraries}));
  const TimeNs created = clock_.Now();
  ASSIGN_OR_RETURN(
      std::unique_ptr<ModelVersion> model,
      ModelVersion::Create(
          {.name = source.name,
           .version = source.version,
           .warmup = {.max_batch_size = options.max_batch_size,
                      .execution = ExecutionOf(options.execution),
                      .runs_on_cpu = providers.empty() || providers.front() == "cpu"},
           .instance_count = options.instance_count > 0 ? options.instance_count
                                                        : ThreadsOf(options_.compute_threads),
           .queue_size_max = options.max_queue_size,
           .queue_delay_max = options.max_queue_delay_us * kMicrosecond,
           .queue_delay_target = options.queue_delay_target_ms * kMillisecond,
           .default_timeout = options.default_timeout_ms * kMillisecond,
           .default_priority = static_cast<int>(options.default_priority)},
          std::move(session), clock_));
  const ModelReport& report = reports_.emplace_back(ReportOf(*model, providers));
  logger_.Info("model ready", {{"model", report.name},
                               {"version", StrCat(report.version)},
                               {"batchable", report.batchable ? "yes" : "no"},
                               {"batchable_reason", report.batchable_reason},
                               {"probe_note", report.probe_note},
                               {"max_batch_size", StrCat(report.max_batch_size)},
                               {"execution", report.execution},
                               {"execution_reason", report.execution_reason},
                               {"l1_us", StrCat(std::llround(report.l1_us))},
                               {"lmax_us", StrCat(std::llround(report.lmax_us))},
                               {"session_ms", StrCat((created - began) / kMillisecond)},
                               {"warmup_ms", StrCat((clock_.Now() - created) / kMillisecond)}});
  models_.Add(std::move(model));
  return {};
}

Status Server::Impl::StartFrontend() {
  for (const std::unique_ptr<ModelVersion>& model : models_.versions()) {
    scheduler_.Add(model->queue());
  }
  const frontend::ServiceFactory factory =
      [this](frontend::LoopResources& loop) -> std::unique_ptr<frontend::Service> {
    return std::make_unique<LoopService>(
        InferenceService::Resources{.state = state_,
                                    .models = models_,
                                    .reflection = reflection_,
                                    .scheduler = scheduler_,
                                    .clock = clock_,
                                    .home = *loop.loop,
                                    .buffers = loop.buffers,
                                    .cells = loop.cells,
                                    .report_batch_size = options_.report_batch_size},
        *loop.loop);
  };
  ASSIGN_OR_RETURN(
      frontend_, frontend::Frontend::Create(FrontendOptionsOf(options_), clock_, logger_, factory));
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
    logger_.Warning("drain timed out", {{"calls_cancelled", StrCat(frontend_->live_calls())}});
    for (const std::unique_ptr<ModelVersion>& model : models_.versions()) {
      model->session().Terminate();
    }
  }
  scheduler_.Close();
  compute_pool_.reset();
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

}  // namespace penstock
