// The whole data plane behind one class: what the Python binding and native/host build. Thread-safe
// where it says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <penstock/error.h>
#include <penstock/model.h>
#include <penstock/options.h>

namespace penstock {

class Server final {
 public:
  // Opens ONNX Runtime at options.onnxruntime_library, loads and warms every model, binds the
  // port and starts the threads; on return the server answers. Blocks for as long as the models
  // take. On failure nothing is left running, `error` is filled and null is returned.
  static std::unique_ptr<Server> Create(const ServerOptions& options,
                                        const std::vector<ModelSource>& models, Error* error);

  // Stops at once where Stop was not called before.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& host() const;
  std::uint16_t grpc_port() const;
  const std::vector<ModelReport>& models() const;

  // Health turns NOT_SERVING, no connection or call is accepted any more, clients get GOAWAY, what
  // was accepted is finished; what is not finished after `drain_timeout` is cancelled. Returns true
  // if everything finished. Blocks; call it once, from any thread.
  bool Stop(std::chrono::milliseconds drain_timeout);

  // Live counts, zero at rest: what a leak test reads. Any thread.
  struct LiveCounts {
    std::int64_t connections = 0;
    std::int64_t calls = 0;
    std::int64_t buffers = 0;
    std::int64_t accepted = 0;  // calls accepted since start
    std::int64_t finished = 0;  // calls finished since start, each counted once
  };
  LiveCounts live_counts() const;

  // Every metric of docs/reference/metrics.md as Prometheus text. Any thread; no loop waits for it.
  std::string metrics_text();

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock
