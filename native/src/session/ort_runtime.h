// ONNX Runtime as one object: the library opened, its function table and its environment. Created
// once, on the control thread, before any other thread starts; makes sessions. Outlives them.
// Knows nothing of models beyond the path of their file.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/status.h"
#include "session/ort_abi.h"
#include "session/ort_handle.h"
#include "session/session.h"

namespace penstock {

struct SessionConfig {
  std::string model_path;
  // Threads that one Run may use; above 1 the engine starts a pool of its own for this session.
  int intra_op_threads = 1;
  // In order of preference, lower case: "cuda", "cpu". Without "cpu" nothing may fall back to it.
  std::vector<std::string> providers = {"cpu"};
  // What the CUDA provider needs beyond the driver: absolute paths, in the order to open them.
  std::vector<std::string> provider_libraries = {};
  // The engine's arena keeps what the largest run needed. Without it large tensors are mapped and
  // unmapped on every run, which cost a convolution on images far more than it saved a small model.
  bool memory_arena = true;
};

class OrtRuntime final {
 public:
  // Opens the library at exactly this path and never closes it: its threads and thread-local data
  // do not survive that. Switches telemetry off in the environment first, which is safe only while
  // the process has one thread. `logger` gets the engine's warnings and errors from any thread;
  // null drops them. The engine keeps one environment in a process, so where there are several
  // runtimes (tests) the first one's logger serves until the last is gone.
  static Result<std::unique_ptr<OrtRuntime>> Open(const std::string& library_path,
                                                  Logger* logger = nullptr);
  ~OrtRuntime() = default;
  OrtRuntime(const OrtRuntime&) = delete;
  OrtRuntime& operator=(const OrtRuntime&) = delete;

  const std::string& version() const { return version_; }
  // The engine's own names, such as "CPUExecutionProvider".
  const std::vector<std::string>& available_providers() const { return available_providers_; }

  // Loads and optimises a model: blocks for as long as that takes. Any thread. NOT_FOUND,
  // INVALID_ARGUMENT (corrupt) or FAILED_PRECONDITION (not servable here, and why); messages are
  // for the operator and name the path.
  Result<std::unique_ptr<Session>> CreateSession(const SessionConfig& config) const;

 private:
  OrtRuntime(std::string library_path, std::string version, void* const* table)
      : library_path_(std::move(library_path)), version_(std::move(version)), api_(table) {}

  Status CreateEnvironment(Logger* logger);
  Status ReadProviders();
  Result<OrtHandle<ort_abi::SessionOptions>> CreateOptions(const SessionConfig& config,
                                                           bool memory_pattern) const;

  const std::string library_path_;
  const std::string version_;
  const ort_abi::Api api_;
  OrtHandle<ort_abi::Env> environment_{nullptr, nullptr};
  OrtHandle<ort_abi::MemoryInfo> cpu_memory_{nullptr, nullptr};
  std::vector<std::string> available_providers_;
};

}  // namespace penstock
