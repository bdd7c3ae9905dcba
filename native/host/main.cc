// penstock_host: the server without Python, for sanitizers, profilers and machines where only the
// core is of interest. It behaves as `penstock serve` does for .onnx files: the same flags, the
// same ready line, signals and exit codes. Knows only native/include/penstock.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>
#include <semaphore>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include <penstock/options.h>
#include <penstock/server.h>

#include "options_text.h"

namespace penstock::host {
namespace {

constexpr int kFailure = 1;
constexpr int kWrongUsage = 2;
constexpr int kSignalBase = 128;  // what a shell reports for a process that a signal ended

constexpr std::string_view kUsage =
    "usage: penstock_host --onnxruntime-library PATH [--FLAG VALUE]... MODEL.onnx...\n"
    "The flags are those of `penstock serve`, see docs/reference/settings.md, and\n"
    "--provider-library PATH for each shared library that --providers cuda needs, see\n"
    "docs/reference/providers.md.\n";

struct Arguments {
  ServerOptions server;
  ModelOptions model;
  std::vector<std::string> paths;
};

// Fills `arguments`; returns false and says why in `error` where the usage is wrong.
bool ParseArguments(const std::vector<std::string_view>& words, Arguments* arguments,
                    std::string* error) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (!word.starts_with("--")) {
      arguments->paths.emplace_back(word);
      continue;
    }
    std::string_view value;
    if (FlagTakesValue(word)) {
      if (i + 1 == words.size()) {
        *error = std::string(word) + " needs a value";
        return false;
      }
      value = words[++i];
    }
    if (word == "--onnxruntime-library") {
      arguments->server.onnxruntime_library = std::string(value);
    } else if (word == "--provider-library") {
      arguments->server.provider_libraries.emplace_back(value);
    } else if (!SetOption(word, value, &arguments->server, &arguments->model, error)) {
      return false;
    }
  }
  if (arguments->server.onnxruntime_library.empty()) *error = "--onnxruntime-library is missing";
  if (arguments->paths.empty()) *error = "no model is given";
  return error->empty();
}

bool MakeSources(const Arguments& arguments, std::vector<ModelSource>* models, std::string* error) {
  for (const std::string& path : arguments.paths) {
    std::error_code failure;
    const std::filesystem::path absolute = std::filesystem::absolute(path, failure);
    if (!std::filesystem::exists(absolute, failure)) {
      *error = path + ": no such file";
      return false;
    }
    if (absolute.extension() != ".onnx" || !std::filesystem::is_regular_file(absolute, failure)) {
      *error = path + ": is not an .onnx file";
      return false;
    }
    models->push_back({.name = absolute.stem().string(),
                       .version = 1,
                       .path = absolute.string(),
                       .options = arguments.model});
  }
  return true;
}

// What the signal thread and the main thread share. Static, since that thread outlives main.
std::atomic<bool> serving = false;  // seq_cst; set once, when there is something to drain
std::binary_semaphore stop_requested(0);

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Before the server answers, a signal ends the process; later the first one asks for a drain and
// the second one ends the process.
void WaitForSignals() {
  const sigset_t signals = StopSignals();
  int number = 0;
  sigwait(&signals, &number);
  if (!serving) _exit(kSignalBase + number);
  stop_requested.release();
  sigwait(&signals, &number);
  _exit(kSignalBase + number);
}

int Fail(const std::string& message) {
  std::cerr << "penstock: error: " << message << "\n";
  return kFailure;
}

int Serve(const Arguments& arguments, const std::vector<ModelSource>& models) {
  Error error;
  const std::unique_ptr<Server> server = Server::Create(arguments.server, models, &error);
  if (server == nullptr) return Fail(error.message);
  serving = true;
  const bool is_ipv6 = server->host().find(':') != std::string::npos;
  std::cout << "ready grpc=" << (is_ipv6 ? "[" + server->host() + "]" : server->host()) << ":"
            << server->grpc_port() << "\n"
            << std::flush;
  stop_requested.acquire();
  const std::chrono::milliseconds drain_timeout(arguments.server.drain_timeout_ms);
  if (server->Stop(drain_timeout)) return 0;
  return Fail("not every call finished within " + std::to_string(drain_timeout.count()) +
              " ms; the others were cancelled");
}

int Main(const std::vector<std::string_view>& words) {
  Arguments arguments;
  std::string error;
  if (!ParseArguments(words, &arguments, &error)) {
    std::cerr << kUsage << "penstock: error: " << error << "\n";
    return kWrongUsage;
  }
  std::vector<ModelSource> models;
  if (!MakeSources(arguments, &models, &error)) return Fail(error);
  // Blocked before any thread starts, so that every thread inherits it.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Not one of the data plane's threads: it waits in sigwait until the process ends.
  std::thread(WaitForSignals).detach();
  return Serve(arguments, models);
}

}  // namespace
}  // namespace penstock::host

int main(int argc, char** argv) {
  return penstock::host::Main(std::vector<std::string_view>(argv + 1, argv + argc));
}
