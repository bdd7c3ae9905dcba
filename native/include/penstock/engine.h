// Models in the caller's own process: loaded and warmed as the server does it, run by the same
// scheduler in the same batches, without a network. What the Python binding builds penstock.Engine
// from; a plain C++ program may use it as well. Every class says which threads may use it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <penstock/error.h>
#include <penstock/model.h>
#include <penstock/options.h>
#include <penstock/tensor.h>

namespace penstock {

// Thread-safe.
class Engine final {
 public:
  // Opens ONNX Runtime at options.onnxruntime_library, loads and warms every model, starts the
  // compute threads. Of the options only those count that are no matter of a network. Blocks for as
  // long as the models take. On failure nothing is left running, `error` is filled and null is
  // returned.
  static std::unique_ptr<Engine> Create(const ServerOptions& options,
                                        const std::vector<ModelSource>& models, Error* error);

  // Stops at once where Stop was not called before.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::vector<ModelReport>& models() const;

  // New calls fail with UNAVAILABLE; those begun are finished, and what is not after
  // `drain_timeout` is made to fail. True if everything finished. Blocks; a second call waits for
  // nothing.
  bool Stop(std::chrono::milliseconds drain_timeout);

  // Calls begun and not yet finished and collected: zero at rest.
  std::int64_t live_calls() const;

  // What docs/reference/metrics.md says of models, in Prometheus' text format.
  std::string metrics_text() const;

  // What the memory of an answer must not outlive.
  std::shared_ptr<const void> keep_alive() const;

  class Impl;

 private:
  friend class EngineCall;
  friend class EngineFinished;
  explicit Engine(std::shared_ptr<Impl> impl);
  // Shared with the calls and the answers still held: an answer's memory is the engine's.
  std::shared_ptr<Impl> impl_;
};

// One request and its answer; reusable. One thread at a time, but for Cancel. The life of a call:
//
//   Begin --no--> finished, with error()
//     | yes
//   brief() ----> Run: runs here and now, for some microseconds
//     | no
//   TryRun --yes--> it ran here and now, for as long as the model takes
//     | no
//   Enqueue, then Wait until it says that the call is finished
//
// or Begin, then Submit, and EngineFinished returns it.
class EngineCall final {
 public:
  explicit EngineCall(const Engine& engine);
  // Must not wait in a queue or run.
  ~EngineCall();
  EngineCall(const EngineCall&) = delete;
  EngineCall& operator=(const EngineCall&) = delete;

  // What is asked. Filled before Begin; what it views lives until the call is finished.
  struct Request {
    std::string_view model;
    std::string_view version;  // empty: the highest
    std::vector<EngineTensor> inputs;
    std::vector<std::string_view> outputs;  // empty: all
    std::chrono::microseconds timeout{0};   // 0: none. What waits for longer is never run.
  };
  Request& request();
  // What stands in `inputs` as it must have been meant: the datatype that the model declares for
  // this input, empty where there is no such model or input.
  std::string_view DeclaredDatatype(std::string_view input) const;
  // What the model takes that the request names; empty where there is no such model.
  std::vector<TensorReport> DeclaredInputs() const;

  // Holds the request against the model. Never blocks. False: finished.
  bool Begin();
  // A run is expected to end within 10 us.
  bool brief() const;
  // Finishes a brief call.
  void Run();
  // Where the model has a free instance and nobody waits for it: runs, finishes and is true.
  bool TryRun();
  // To be run in a batch by a compute thread. A full queue finishes it at once.
  void Enqueue();
  // After Enqueue. True: finished. False: not within `patience`.
  bool Wait(std::chrono::milliseconds patience);
  // As Enqueue, but the end of the call comes out of EngineFinished.
  void Submit();
  // Any thread, after Submit or Enqueue has returned and before the end: what still waits ends as
  // CANCELLED; what runs already goes on.
  void Cancel();

  // --- once it is finished ---
  bool ok() const { return code() == 0; }
  int code() const;  // canonical gRPC code
  std::string_view message() const;
  // In the order asked for; valid until Reset or the end of the call object, their bytes for as
  // long as memory() is held.
  std::span<const EngineTensor> results() const;
  std::shared_ptr<const void> memory() const;
  // How many rows ran together.
  std::int64_t batch_rows() const;

  // Forgets request and answer. A call that was begun counts as live until here.
  void Reset();

  // Anything of the caller's.
  void* user_data = nullptr;

 private:
  friend class EngineFinished;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The finished calls of Submit. Outlives its Engine if need be. One thread.
class EngineFinished final {
 public:
  explicit EngineFinished(const Engine& engine);
  ~EngineFinished();
  EngineFinished(const EngineFinished&) = delete;
  EngineFinished& operator=(const EngineFinished&) = delete;

  // Blocks until there is at least one. Empty: the engine has stopped and there will be none.
  std::vector<EngineCall*> Next();

 private:
  std::shared_ptr<Engine::Impl> impl_;
};

}  // namespace penstock
