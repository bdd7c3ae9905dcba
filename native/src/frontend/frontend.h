// Where sockets meet the protocol: the event loops with their connections, and the acceptor that
// deals connections to them. Knows gRPC calls, nothing of inference; native/bench/echo_server.cc
// is built on it alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/block_pool.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "grpc/byte_budget.h"
#include "grpc/method.h"
#include "grpc/server_connection.h"
#include "metrics/catalogue.h"
#include "runtime/io_loop.h"

namespace penstock::frontend {

struct FrontendOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  int io_threads = 1;
  grpc::CallLimits call_limits;
  std::size_t inflight_bytes_max = std::size_t{1} << 30;
  std::int64_t connections_max = 10'000;
};

// Everything that one loop owns and its calls share; what a service may use of it.
struct LoopResources {
  LoopResources(std::size_t which, std::unique_ptr<IoLoop> io_loop)
      : index(which), loop(std::move(io_loop)) {}
  const std::size_t index;  // among all loops
  std::unique_ptr<IoLoop> loop;
  BufferPool buffers;
  BlockPool blocks;
  metrics::Cells cells;
};

// One per loop: the methods of that loop, and whatever they own. Created before the loop runs,
// destroyed after it; between these used on the loop's thread alone.
class Service {
 public:
  virtual ~Service() = default;
  virtual void AddMethods(grpc::Router& router) = 0;
};
using ServiceFactory = std::function<std::unique_ptr<Service>(LoopResources&)>;

class LoopFrontend;
class Acceptor;
class DrainLatch;

class Frontend final {
 public:
  // Creates loops, services and the listening socket; nothing runs yet.
  static Result<std::unique_ptr<Frontend>> Create(const FrontendOptions& options,
                                                  const Clock& clock, Logger& logger,
                                                  const ServiceFactory& service_factory);
  ~Frontend();

  // Starts the loops' threads: from here connections are accepted.
  void Start();
  std::uint16_t port() const { return port_; }

  // The end, in this order; each once, all from one thread.
  // No connection is accepted any more; clients are told by GOAWAY to open no more calls.
  void BeginDrain();
  // Waits until every call is finished and every connection closed. False: not within `timeout`.
  bool WaitDrained(TimeNs timeout);
  // Ends every connection; calls that a method holds are cancelled.
  void CloseConnections();
  // Ends the loops' threads, after everything posted to them is delivered.
  void Join();

  // Sums over all loops. Any thread.
  std::int64_t Count(metrics::Counter counter) const;
  std::int64_t live_connections() const;
  std::int64_t live_calls() const;
  std::int64_t live_buffers() const;

 private:
  Frontend();

  std::uint16_t port_ = 0;
  std::vector<std::unique_ptr<LoopResources>> resources_;
  std::vector<std::unique_ptr<Service>> services_;
  std::unique_ptr<DrainLatch> latch_;
  std::vector<std::unique_ptr<LoopFrontend>> loops_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::thread> threads_;
};

}  // namespace penstock::frontend
