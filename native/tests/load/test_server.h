// A gRPC server on the frontend layer for the generator's tests: one method at /test.Test/Call that
// does what the test says. One loop, port 0.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "frontend/frontend.h"
#include "grpc/call.h"

namespace penstock::load {

inline constexpr std::string_view kTestPath = "/test.Test/Call";

class TestServer final {
 public:
  // Runs on the server's loop. It finishes the call, or keeps it for ever.
  using Handler = std::function<void(grpc::Call&, Buffer message)>;

  explicit TestServer(Handler handler, grpc::CallLimits limits = {}) : logger_({}) {
    auto created = frontend::Frontend::Create(
        {.call_limits = limits}, clock_, logger_,
        [handler](frontend::LoopResources&) { return std::make_unique<Service>(handler); });
    EXPECT_TRUE(created.ok()) << created.status().ToString();
    frontend_ = std::move(created).value();
    frontend_->Start();
  }
  ~TestServer() {
    BeginDrain();
    frontend_->CloseConnections();
    EXPECT_TRUE(frontend_->WaitDrained(10 * kSecond));
    frontend_->Join();
    EXPECT_EQ(frontend_->live_buffers(), 0);
  }

  std::uint16_t port() const { return frontend_->port(); }
  void CloseConnections() { frontend_->CloseConnections(); }
  // GOAWAY to every client, and no new connections.
  void BeginDrain() {
    if (!draining_.exchange(true)) frontend_->BeginDrain();
  }

  static void Answer(grpc::Call& call, std::span<const std::byte> message) {
    call.BeginMessage(message.size()).Append(message);
    call.Finish({});
  }

 private:
  class Service final : public frontend::Service, private grpc::Method {
   public:
    explicit Service(Handler handler) : handler_(std::move(handler)) {}
    void AddMethods(grpc::Router& router) override { router.Add(kTestPath, *this); }

   private:
    void OnMessage(grpc::Call& call, Buffer message) override {
      handler_(call, std::move(message));
    }
    void OnCancel(grpc::Call& call) override { call.Release(); }
    const Handler handler_;
  };

  SteadyClock clock_;
  Logger logger_;
  std::unique_ptr<frontend::Frontend> frontend_;
  std::atomic<bool> draining_{false};
};

inline void Echo(grpc::Call& call, Buffer message) {
  TestServer::Answer(call, message.bytes());
}

}  // namespace penstock::load
