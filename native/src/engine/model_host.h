// What the server and the in-process engine both stand on: ONNX Runtime, the models loaded and
// warmed, the scheduler and its compute threads. Control thread, but for what it hands out.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include <penstock/model.h>
#include <penstock/options.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/watchdog.h"
#include "batching/scheduler.h"
#include "model/model_table.h"
#include "runtime/compute_pool.h"
#include "session/ort_runtime.h"
#include "session/session.h"

namespace penstock {

// 0 stands for the cores that were granted, a fraction counting as one.
int ThreadsOf(std::int64_t configured);
std::vector<TensorReport> TensorReportsOf(std::span<const TensorSpec> specs);

class ModelHost final {
 public:
  ModelHost(const ServerOptions& options, const Clock& clock)
      : options_(options),
        clock_(clock),
        logger_(LogOptions(options)),
        watchdog_(clock, logger_),
        scheduler_(clock, ThreadsOf(options.compute_threads)) {}
  ModelHost(const ModelHost&) = delete;
  ModelHost& operator=(const ModelHost&) = delete;

  // Opens ONNX Runtime, loads and warms every model. Blocks for as long as the models take. Once.
  Status Load(const std::vector<ModelSource>& models);
  // From here batches that are queued are run, and what takes too long is noticed.
  void StartComputing();
  // Ends the compute threads; every entry must have been taken or removed, or be by its owner. What
  // still runs has first been waited for, or told to end by TerminateRuns.
  void StopComputing();
  // Every run, under way or yet to come, fails soon.
  void TerminateRuns();

  const ServerOptions& options() const { return options_; }
  const Clock& clock() const { return clock_; }
  Logger& logger() { return logger_; }
  // Thread-safe once StartComputing has returned.
  Scheduler& scheduler() { return scheduler_; }
  Watchdog& watchdog() { return watchdog_; }
  const ModelTable& models() const { return models_; }
  const std::vector<ModelReport>& reports() const { return reports_; }

 private:
  static Logger::Options LogOptions(const ServerOptions& options);
  Status LoadModel(const ModelSource& source);

  // In the order of construction; destroyed in reverse.
  const ServerOptions options_;
  const Clock& clock_;
  Logger logger_;
  Watchdog watchdog_;
  std::unique_ptr<OrtRuntime> runtime_;
  ModelTable models_;
  std::vector<ModelReport> reports_;
  Scheduler scheduler_;
  std::unique_ptr<ComputePool> compute_pool_;
};

}  // namespace penstock
