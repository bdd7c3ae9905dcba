// Every RPC that one loop answers: ModelInfer by InferCall, the rest here. Used on its loop's
// thread alone; what it is given outlives it and is constant or thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <penstock/model.h>

#include "base/buffer.h"
#include "base/mailbox.h"
#include "batching/scheduler.h"
#include "grpc/method.h"
#include "inference/infer_call.h"
#include "inference/inline_runner.h"
#include "inference/reflection.h"
#include "metrics/catalogue.h"
#include "model/model_table.h"

namespace penstock {

// Of the whole server.
struct ServerState {
  std::string name = "penstock";
  std::string version;
  // False while it drains. Any thread; it orders nothing.
  std::atomic<bool> ready{true};
};

class InferenceService final {
 public:
  struct Resources {
    const ServerState& state;
    const ModelTable& models;
    const std::vector<ModelReport>& reports;
    const ReflectionIndex& reflection;
    Scheduler& scheduler;
    const Clock& clock;
    Watchdog& watchdog;
    Logger& logger;
    std::size_t loop_index = 0;
    Mailbox& home;        // the loop's own
    BufferPool& buffers;  // the loop's own
    metrics::Cells& cells;
    bool report_batch_size = false;
    bool count_calls = true;
  };
  explicit InferenceService(const Resources& resources);
  ~InferenceService();
  InferenceService(const InferenceService&) = delete;
  InferenceService& operator=(const InferenceService&) = delete;

  void AddMethods(grpc::Router& router);
  // At the end of each of the loop's turns.
  TurnOutcome RunTurn(TimeNs began);

 private:
  using Answer = std::function<Result<std::string>(std::span<const std::byte> request)>;
  void AddControlMethod(grpc::Router& router, std::string_view path, Answer answer);

  Result<std::string> ModelReady(std::span<const std::byte> request) const;
  Result<std::string> ServerMetadata(std::span<const std::byte> request) const;
  Result<std::string> ModelMetadata(std::span<const std::byte> request) const;
  Result<std::string> ModelStatistics(std::span<const std::byte> request) const;
  Result<std::string> ModelConfig(std::span<const std::byte> request) const;
  Result<std::string> RepositoryIndex(std::span<const std::byte> request) const;
  Result<std::string> ListModels(std::span<const std::byte> request) const;
  Result<std::string> Health(std::span<const std::byte> request) const;
  bool ready() const { return resources_.state.ready.load(std::memory_order_relaxed); }

  const Resources resources_;
  InlineRunner runner_;
  InferContext infer_context_;
  std::vector<std::unique_ptr<grpc::Method>> methods_;
};

}  // namespace penstock
