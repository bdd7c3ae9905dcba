#include "inference/inference_service.h"

#include <chrono>
#include <utility>

#include "base/strings.h"
#include "grpc/call.h"
#include "wire/control_messages.h"

namespace penstock {
namespace {

using WallClock = std::chrono::system_clock;

constexpr std::string_view kServiceName = "inference.GRPCInferenceService";

void Reply(grpc::Call& call, std::string_view message) {
  call.BeginMessage(message.size()).Append(std::as_bytes(std::span(message)));
}

class InferMethod final : public grpc::Method {
 public:
  explicit InferMethod(InferContext& context) : context_(context) {}

  bool sheddable() const override { return true; }

  // A large tensor is received where the engine can read it best; small ones are copied into a
  // batch anyway.
  Result<grpc::MessagePlan> OnMessageBegin(grpc::Call& call, std::size_t length,
                                           std::span<const std::byte> bytes) override {
    constexpr std::size_t kAlignedMin = 4096;
    if (length < kAlignedMin) return grpc::MessagePlan();
    const wire::RequestHead head = wire::ReadRequestHead(bytes);
    // Receiving it is the larger part of its cost: what has no prospect is refused before.
    RETURN_IF_ERROR(InferCall::Foresee(context_, call, head));
    return grpc::MessagePlan{.aligned_at = head.first_raw_tensor.value_or(0)};
  }
  void OnMessage(grpc::Call& call, Buffer message) override {
    InferCall::Start(context_, call, std::move(message));
  }
  void OnCancel(grpc::Call& call) override { InferCall::Cancel(call); }

 private:
  InferContext& context_;
};

// One message in, one message out, answered on the spot.
class ControlMethod final : public grpc::Method {
 public:
  using Answer = std::function<Result<std::string>(std::span<const std::byte>)>;
  explicit ControlMethod(Answer answer) : answer_(std::move(answer)) {}

  void OnMessage(grpc::Call& call, Buffer message) override {
    const Result<std::string> reply = answer_(message.bytes());
    if (reply.ok()) Reply(call, reply.value());
    call.Finish(reply.status());
  }
  void OnCancel(grpc::Call& call) override { call.Release(); }

 private:
  Answer answer_;
};

// A stream of questions, each answered by one message.
class ReflectionMethod final : public grpc::Method {
 public:
  explicit ReflectionMethod(const ReflectionIndex& index) : index_(index) {}

  bool streaming() const override { return true; }
  void OnMessage(grpc::Call& call, Buffer message) override {
    Reply(call, index_.Answer(message.bytes()));
    call.Flush();
  }
  void OnHalfClose(grpc::Call& call) override { call.Finish({}); }
  void OnCancel(grpc::Call& call) override { call.Release(); }

 private:
  const ReflectionIndex& index_;
};

}  // namespace

InferenceService::InferenceService(const Resources& resources)
    : resources_(resources),
      runner_({.models = resources.models,
               .scheduler = resources.scheduler,
               .clock = resources.clock,
               .watchdog = resources.watchdog,
               .logger = resources.logger,
               .loop_index = resources.loop_index,
               .cells = resources.cells}),
      infer_context_{.models = resources.models,
                     .runner = runner_,
                     .buffers = resources.buffers,
                     .clock = resources.clock,
                     .loop_index = resources.loop_index,
                     .home = resources.home,
                     .cells = resources.cells,
                     .answers = {},
                     .report_batch_size = resources.report_batch_size,
                     .count_calls = resources.count_calls} {}

InferenceService::~InferenceService() = default;

void InferenceService::AddMethods(grpc::Router& router) {
  methods_.push_back(std::make_unique<InferMethod>(infer_context_));
  router.Add("/inference.GRPCInferenceService/ModelInfer", *methods_.back());
  for (const std::string_view path :
       {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}) {
    methods_.push_back(std::make_unique<ReflectionMethod>(resources_.reflection));
    router.Add(path, *methods_.back());
  }
  using Request = std::span<const std::byte>;
  AddControlMethod(router, "/inference.GRPCInferenceService/ServerLive",
                   [](Request request) -> Result<std::string> {
                     RETURN_IF_ERROR(wire::CheckEmptyRequest(request, "ServerLiveRequest"));
                     return wire::EncodeServerLiveResponse(true);
                   });
  AddControlMethod(router, "/inference.GRPCInferenceService/ServerReady",
                   [this](Request request) -> Result<std::string> {
                     RETURN_IF_ERROR(wire::CheckEmptyRequest(request, "ServerReadyRequest"));
                     return wire::EncodeServerReadyResponse(ready());
                   });
  AddControlMethod(router, "/inference.GRPCInferenceService/ModelReady",
                   [this](Request request) { return ModelReady(request); });
  AddControlMethod(router, "/inference.GRPCInferenceService/ServerMetadata",
                   [this](Request request) { return ServerMetadata(request); });
  AddControlMethod(router, "/inference.GRPCInferenceService/ModelMetadata",
                   [this](Request request) { return ModelMetadata(request); });
  AddControlMethod(router, "/inference.GRPCInferenceService/ModelStatistics",
                   [this](Request request) { return ModelStatistics(request); });
  AddControlMethod(router, "/inference.GRPCInferenceService/ModelConfig",
                   [this](Request request) { return ModelConfig(request); });
  AddControlMethod(router, "/inference.GRPCInferenceService/RepositoryIndex",
                   [this](Request request) { return RepositoryIndex(request); });
  AddControlMethod(router, "/penstock.v1.Models/ListModels",
                   [this](Request request) { return ListModels(request); });
  AddControlMethod(router, "/grpc.health.v1.Health/Check",
                   [this](Request request) { return Health(request); });
}

void InferenceService::AddControlMethod(grpc::Router& router, std::string_view path,
                                        Answer answer) {
  methods_.push_back(std::make_unique<ControlMethod>(std::move(answer)));
  router.Add(path, *methods_.back());
}

TurnOutcome InferenceService::RunTurn(TimeNs began) {
  const TimeNs ended = runner_.RunTurn(began);
  if (!infer_context_.answers.empty()) {
    infer_context_.answers.Count(ended > 0 ? ended : resources_.clock.Now());
  }
  return runner_.TakeOutcome();
}

// A model that is not there is not ready, which is an answer and not an error.
Result<std::string> InferenceService::ModelReady(std::span<const std::byte> request) const {
  ASSIGN_OR_RETURN(const wire::ModelReadyRequest asked, wire::DecodeModelReadyRequest(request));
  const bool served = resources_.models.Resolve(asked.name, asked.version).ok();
  return wire::EncodeModelReadyResponse(served && ready());
}

Result<std::string> InferenceService::ServerMetadata(std::span<const std::byte> request) const {
  RETURN_IF_ERROR(wire::CheckEmptyRequest(request, "ServerMetadataRequest"));
  return wire::EncodeServerMetadataResponse(
      {.name = resources_.state.name,
       .version = resources_.state.version,
       .extensions = {"binary_tensor_data", "model_configuration", "statistics"}});
}

Result<std::string> InferenceService::ModelMetadata(std::span<const std::byte> request) const {
  ASSIGN_OR_RETURN(const wire::ModelMetadataRequest asked,
                   wire::DecodeModelMetadataRequest(request));
  ASSIGN_OR_RETURN(const ModelVersion* model, resources_.models.Resolve(asked.name, asked.version));
  return wire::EncodeModelMetadataResponse(
      {.name = model->name(),
       .versions = resources_.models.VersionsOf(model->name()),
       .inputs = {model->inputs().begin(), model->inputs().end()},
       .outputs = {model->outputs().begin(), model->outputs().end()}});
}

Result<std::string> InferenceService::ModelStatistics(std::span<const std::byte> request) const {
  ASSIGN_OR_RETURN(const wire::ModelStatisticsRequest asked,
                   wire::DecodeModelStatisticsRequest(request));
  if (!asked.name.empty()) {
    RETURN_IF_ERROR(resources_.models.Resolve(asked.name, asked.version).status());
  }
  const TimeNs now = resources_.clock.Now();
  const TimeNs since_epoch = std::chrono::nanoseconds(WallClock::now().time_since_epoch()).count();
  std::vector<wire::ModelStatistics> statistics;
  for (const std::unique_ptr<ModelVersion>& model : resources_.models.versions()) {
    if (!asked.name.empty() && asked.name != model->name()) continue;
    if (!asked.version.empty() && asked.version != model->version_text()) continue;
    const metrics::ModelCounts counts = model->Counts();
    const TimeNs last = counts.last_answer_at;
    statistics.push_back(
        {.name = model->name(),
         .version = model->version_text(),
         .last_inference_ms = last == 0 ? 0 : (since_epoch - (now - last)) / kMillisecond,
         .counts = counts});
  }
  return wire::EncodeModelStatisticsResponse(statistics);
}

Result<std::string> InferenceService::ModelConfig(std::span<const std::byte> request) const {
  ASSIGN_OR_RETURN(const wire::ModelConfigRequest asked, wire::DecodeModelConfigRequest(request));
  ASSIGN_OR_RETURN(const ModelVersion* model, resources_.models.Resolve(asked.name, asked.version));
  return wire::EncodeModelConfigResponse(
      {.name = model->name(),
       .max_batch_size = model->batchable() ? model->max_batch_size() : 0,
       .max_queue_delay_us = model->queue().delay_max() / kMicrosecond,
       .inputs = model->inputs(),
       .outputs = model->outputs()});
}

Result<std::string> InferenceService::RepositoryIndex(std::span<const std::byte> request) const {
  ASSIGN_OR_RETURN(const wire::RepositoryIndexRequest asked,
                   wire::DecodeRepositoryIndexRequest(request));
  if (!asked.repository_name.empty()) {
    return Unimplemented("repositories have no names here; leave repository_name empty");
  }
  std::vector<wire::RepositoryIndexEntry> entries;
  if (asked.ready && !ready()) return wire::EncodeRepositoryIndexResponse(entries);
  for (const std::unique_ptr<ModelVersion>& model : resources_.models.versions()) {
    entries.push_back({.name = model->name(),
                       .version = model->version_text(),
                       .state = ready() ? "READY" : "UNAVAILABLE",
                       .reason = ready() ? "" : "the server is shutting down"});
  }
  return wire::EncodeRepositoryIndexResponse(entries);
}

Result<std::string> InferenceService::ListModels(std::span<const std::byte> request) const {
  RETURN_IF_ERROR(wire::CheckEmptyRequest(request, "ListModelsRequest"));
  return wire::EncodeListModelsResponse(resources_.reports);
}

Result<std::string> InferenceService::Health(std::span<const std::byte> request) const {
  ASSIGN_OR_RETURN(const wire::HealthCheckRequest asked, wire::DecodeHealthCheckRequest(request));
  if (!asked.service.empty() && asked.service != kServiceName) {
    return NotFound(StrCat("service '", Printable(asked.service), "' is not known here"));
  }
  return wire::EncodeHealthCheckResponse(ready() ? wire::ServingStatus::kServing
                                                 : wire::ServingStatus::kNotServing);
}

}  // namespace penstock
