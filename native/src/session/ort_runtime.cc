// Opens the library, speaks its entry point and sets a session's options as a server needs them.
#include "session/ort_runtime.h"

#include <dlfcn.h>

#include <cstdlib>
#include <utility>

#include "base/strings.h"
#include "session/external_data.h"
#include "session/load_failure.h"
#include "session/onnx_scan.h"
#include "session/ort_providers.h"
#include "session/ort_session.h"
#include "session/ort_status.h"

namespace penstock {
namespace {

using ort_abi::ApiBase;

void ForwardLog(void* param, int severity, const char* /*category*/, const char* /*log_id*/,
                const char* code_location, const char* message) {
  Logger* logger = static_cast<Logger*>(param);
  if (logger == nullptr) return;
  // An error comes back as the status of the call that met it as well, and requests can cause
  // errors: they must not be able to fill the log.
  if (severity > ort_abi::kLogWarning) {
    logger->Debug(message, {{"engine_location", code_location}});
  } else {
    logger->Warning(message, {{"engine_location", code_location}});
  }
}

Result<const ApiBase*> OpenLibrary(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return FailedPrecondition(StrCat("ONNX Runtime cannot be opened: ", dlerror()));
  }
  using EntryPoint = const ApiBase* (*)();
  const EntryPoint entry_point = reinterpret_cast<EntryPoint>(dlsym(library, "OrtGetApiBase"));
  if (entry_point == nullptr) {
    return FailedPrecondition(StrCat("'", path, "' is not ONNX Runtime: it has no OrtGetApiBase"));
  }
  return entry_point();
}

std::string CannotLoad(const std::string& path) {
  return StrCat("model '", path, "' cannot be loaded");
}

// The model may be a good one that this engine cannot take: then it says what to do instead.
Status Explained(const Status& failure, const std::string& path, const OnnxFacts& facts) {
  const std::string advice = ExplainLoadFailure(failure.message(), facts);
  return advice.empty() ? failure : FailedPrecondition(StrCat(CannotLoad(path), ": ", advice));
}

}  // namespace

Result<std::unique_ptr<OrtRuntime>> OrtRuntime::Open(const std::string& library_path,
                                                     Logger* logger) {
  // setenv races with getenv on other threads. There are none yet: the server opens the engine
  // before it starts any, and the library reads the variable when the environment is created.
  if (setenv("ORT_DISABLE_TELEMETRY", "1", /*overwrite=*/1) != 0) {
    return Internal("ORT_DISABLE_TELEMETRY cannot be set");
  }
  ASSIGN_OR_RETURN(const ApiBase* base, OpenLibrary(library_path));
  const std::string version = base->GetVersionString();
  void* const* table = base->GetApi(ort_abi::kApiVersion);
  if (table == nullptr) {
    return FailedPrecondition(StrCat("ONNX Runtime ", version, " at '", library_path,
                                     "' is too old: 1.", ort_abi::kApiVersion,
                                     " or newer is needed"));
  }
  std::unique_ptr<OrtRuntime> runtime(new OrtRuntime(library_path, version, table));
  RETURN_IF_ERROR(runtime->CreateEnvironment(logger));
  RETURN_IF_ERROR(runtime->ReadProviders());
  return runtime;
}

Status OrtRuntime::CreateEnvironment(Logger* logger) {
  constexpr std::string_view kWhat = "ONNX Runtime cannot be started";
  ort_abi::Env* environment = nullptr;
  // Short, because every run copies it into a logger of its own.
  constexpr const char* kLogId = "ort";
  RETURN_IF_ERROR(
      TakeSetupStatus(api_,
                      api_.CreateEnvWithCustomLogger(&ForwardLog, logger, ort_abi::kLogWarning,
                                                     kLogId, &environment),
                      kWhat));
  environment_ = OrtHandle<ort_abi::Env>(environment, api_.ReleaseEnv);
  ort_abi::MemoryInfo* memory = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(
      api_, api_.CreateCpuMemoryInfo(ort_abi::kAllocatorDevice, ort_abi::kMemoryDefault, &memory),
      kWhat));
  cpu_memory_ = OrtHandle<ort_abi::MemoryInfo>(memory, api_.ReleaseMemoryInfo);
  return {};
}

Status OrtRuntime::ReadProviders() {
  constexpr std::string_view kWhat = "ONNX Runtime does not list its providers";
  char** names = nullptr;
  int count = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api_, api_.GetAvailableProviders(&names, &count), kWhat));
  for (int i = 0; i < count; ++i) available_providers_.emplace_back(names[i]);
  return TakeSetupStatus(api_, api_.ReleaseAvailableProviders(names, count), kWhat);
}

Result<OrtHandle<ort_abi::SessionOptions>> OrtRuntime::CreateOptions(const SessionConfig& config,
                                                                     bool memory_pattern) const {
  constexpr std::string_view kWhat = "ONNX Runtime refuses a session option";
  ort_abi::SessionOptions* raw = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api_, api_.CreateSessionOptions(&raw), kWhat));
  OrtHandle<ort_abi::SessionOptions> options(raw, api_.ReleaseSessionOptions);

  // Threads that spin for work burn the cores that the loops need.
  constexpr const char* kSettings[][2] = {{"session.intra_op.allow_spinning", "0"},
                                          {"session.inter_op.allow_spinning", "0"}};
  std::vector<ort_abi::Status*> results = {
      api_.SetIntraOpNumThreads(raw, config.intra_op_threads),
      api_.SetInterOpNumThreads(raw, 1),
      api_.SetSessionExecutionMode(raw, ort_abi::kExecutionSequential),
      api_.SetSessionGraphOptimizationLevel(raw, ort_abi::kOptimizeAll),
  };
  for (const auto& [key, value] : kSettings) {
    results.push_back(api_.AddSessionConfigEntry(raw, key, value));
  }
  // The engine remembers a plan for every distinct input shape, for ever: with free inner
  // dimensions a peer would decide how many.
  if (!memory_pattern) results.push_back(api_.DisableMemPattern(raw));
  if (!config.memory_arena) results.push_back(api_.DisableCpuMemArena(raw));

  Status first_error;
  for (ort_abi::Status* result : results) {
    Status status = TakeSetupStatus(api_, result, kWhat);
    if (first_error.ok()) first_error = std::move(status);
  }
  RETURN_IF_ERROR(first_error);
  return options;
}

Result<std::unique_ptr<Session>> OrtRuntime::CreateSession(const SessionConfig& config) const {
  if (config.intra_op_threads < 1) {
    return InvalidArgument(
        StrCat("intra_op_threads is ", config.intra_op_threads, ", it must be 1 or more"));
  }
  // The scan comes first: it tells a missing file from a corrupt one, and what to set.
  ASSIGN_OR_RETURN(const OnnxFacts facts, ScanOnnxFile(config.model_path));
  if (!facts.inputs_without_shape.empty()) {
    return FailedPrecondition(StrCat(
        CannotLoad(config.model_path), ": input '", Printable(facts.inputs_without_shape.front()),
        "' declares no shape; export the model with its rank and -1 or a name where it is free"));
  }
  RETURN_IF_ERROR(CheckExternalData(config.model_path, facts.external_locations));
  ASSIGN_OR_RETURN(OrtHandle<ort_abi::SessionOptions> options,
                   CreateOptions(config, /*memory_pattern=*/!facts.inner_dims_free));
  RETURN_IF_ERROR(AppendProviders(api_, options.get(),
                                  {.wanted = config.providers,
                                   .available = available_providers_,
                                   .library_path = library_path_,
                                   .libraries = config.provider_libraries}));
  ort_abi::Session* raw = nullptr;
  const Status created = TakeSetupStatus(
      api_, api_.CreateSession(environment_.get(), config.model_path.c_str(), options.get(), &raw),
      CannotLoad(config.model_path));
  if (!created.ok()) return Explained(created, config.model_path, facts);
  Result<std::unique_ptr<OrtSession>> session = OrtSession::Create(
      api_, cpu_memory_.get(), OrtHandle<ort_abi::Session>(raw, api_.ReleaseSession),
      facts.data_dependent_operator);
  if (!session.ok()) {
    return session.status().Under(CannotLoad(config.model_path) + ": ");
  }
  return std::unique_ptr<Session>(std::move(session).value());
}

}  // namespace penstock
