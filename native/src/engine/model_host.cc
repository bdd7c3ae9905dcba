#include "engine/model_host.h"

#include <span>
#include <utility>

#include "base/strings.h"
#include "batching/batch_worker.h"
#include "runtime/granted_cores.h"

namespace penstock {
namespace {

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

std::string Joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::vector<std::string> LinesOf(const std::vector<PipelineChain>& chains) {
  std::vector<std::string> lines;
  lines.reserve(chains.size());
  for (const PipelineChain& chain : chains) {
    lines.push_back(
        StrCat(Joined(chain.from), " -> ", Joined(chain.steps), " -> ", Joined(chain.to)));
  }
  return lines;
}

ModelReport ReportOf(const ModelVersion& model, const PipelineDeclaration& pipeline,
                     const std::vector<std::string>& providers) {
  const WarmupReport& warmup = model.warmup();
  return {.name = model.name(),
          .version = model.version(),
          .inputs = TensorReportsOf(model.inputs()),
          .outputs = TensorReportsOf(model.outputs()),
          .preprocessing = LinesOf(pipeline.preprocessing),
          .postprocessing = LinesOf(pipeline.postprocessing),
          .raw_inputs = TensorReportsOf(model.raw_inputs()),
          .providers = providers,
          .ragged = model.ragged_text(),
          .probe_note = warmup.probe_note,
          .batchable = warmup.batchable,
          .batchable_reason = warmup.batchable_reason,
          .execution = warmup.run_inline ? "inline" : "pool",
          .execution_reason = warmup.execution_reason,
          .max_batch_size = warmup.max_batch_size,
          .l1_us = static_cast<double>(warmup.l1_ns) / 1000,
          .lmax_us = static_cast<double>(warmup.lmax_ns) / 1000};
}

// ONNX Runtime keeps one environment in a process and writes to the logger that it was first given
// for as long as any user of it lives, which may be another than the one that brought the logger:
// so this one is never destroyed.
Logger& EnvironmentLogger(const Logger::Options& options) {
  static Logger* const logger = new Logger(options);
  return *logger;
}

}  // namespace

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

int ThreadsOf(std::int64_t configured) {
  if (configured > 0) return static_cast<int>(configured);
  return ThreadsForCores(GrantedCores());
}

Logger::Options ModelHost::LogOptions(const ServerOptions& options) {
  return {.severity_min = static_cast<LogSeverity>(options.log_level),
          .json = options.log_format == LogFormat::kJson};
}

Status ModelHost::Load(const std::vector<ModelSource>& models) {
  ASSIGN_OR_RETURN(runtime_, OrtRuntime::Open(options_.onnxruntime_library,
                                              &EnvironmentLogger(LogOptions(options_))));
  for (const ModelSource& source : models) RETURN_IF_ERROR(LoadModel(source));
  for (const std::unique_ptr<ModelVersion>& model : models_.versions()) {
    scheduler_.Add(model->queue());
  }
  return {};
}

Status ModelHost::LoadModel(const ModelSource& source) {
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
           .pipeline = source.pipeline,
           .ragged = source.ragged,
           .prepared_bytes_max = options_.max_message_bytes,
           .loops = static_cast<std::size_t>(ThreadsOf(options_.io_threads)),
           .instance_count = options.instance_count > 0 ? options.instance_count
                                                        : ThreadsOf(options_.compute_threads),
           .queue_size_max = options.max_queue_size,
           .queue_delay_max = options.max_queue_delay_us * kMicrosecond,
           .queue_delay_target = options.queue_delay_target_ms * kMillisecond,
           .queue_wait_max = options.max_queue_time_ms * kMillisecond,
           .run_timeout = options.run_timeout_ms * kMillisecond,
           .default_timeout = options.default_timeout_ms * kMillisecond,
           .default_priority = static_cast<int>(options.default_priority),
           .labels = source.labels},
          std::move(session), clock_));
  const ModelReport& report = reports_.emplace_back(ReportOf(*model, source.pipeline, providers));
  logger_.Info("model ready", {{"model", report.name},
                               {"version", StrCat(report.version)},
                               {"batchable", report.batchable ? "yes" : "no"},
                               {"batchable_reason", report.batchable_reason},
                               {"probe_note", report.probe_note},
                               {"ragged", report.ragged},
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

void ModelHost::StartComputing() {
  watchdog_.Start();
  compute_pool_ = std::make_unique<ComputePool>(ThreadsOf(options_.compute_threads), [this] {
    BatchWorker worker(scheduler_, clock_, watchdog_);
    while (worker.WorkOnce()) {
    }
  });
}

void ModelHost::TerminateRuns() {
  for (const std::unique_ptr<ModelVersion>& model : models_.versions()) {
    model->queue().EndRuns();
    if (model->pipeline() != nullptr) model->pipeline()->EndRuns();
  }
  // What begins after this look is seen by the next.
  watchdog_.Look();
}

void ModelHost::StopComputing() {
  scheduler_.Close();
  compute_pool_.reset();
}

}  // namespace penstock
