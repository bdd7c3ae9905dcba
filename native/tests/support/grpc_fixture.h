// gRPC connections over fake methods without sockets. Every test ends with all calls finished and
// released, no buffer live, no budget used and no timer armed. One thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/exchange.h"
#include "support/frames.h"
#include "support/grpc_side.h"

namespace penstock {

class GrpcFixture : public testing::Test {
 protected:
  // One client with its connection. Its host is a frontend that must not hear of a connection that
  // is being destroyed.
  struct Peer final : grpc::ConnectionHost {
    explicit Peer(grpc::CallContext& context, TimeNs now, const Http2Client::Options& options)
        : client(options),
          connection(std::make_unique<grpc::ServerConnection>(context, *this, now)) {}
    ~Peer() { Disconnect(); }
    void OnOutput() override {
      EXPECT_FALSE(disconnecting) << "a dying connection asks to be flushed";
      ++output_asked;
    }
    void Disconnect() {
      disconnecting = true;
      connection.reset();
    }
    Http2Client client;
    bool disconnecting = false;
    int output_asked = 0;
    std::unique_ptr<grpc::ServerConnection> connection;
  };

  explicit GrpcFixture(const grpc::CallLimits& limits = {}, std::size_t budget_bytes = 1 << 30)
      : side_(limits, budget_bytes) {
    peers_.push_back(std::make_unique<Peer>(context_, now_, Http2Client::Options()));
  }
  void TearDown() override {
    peers_.clear();
    EXPECT_TRUE(unary_.held.empty() && stream_.held.empty()) << "the test left calls held";
    EXPECT_EQ(side_.NotAtRest(), "");
  }

  Http2Client& client() { return peers_.front()->client; }
  grpc::ServerConnection& connection() { return *peers_.front()->connection; }
  Peer& AddPeer() {
    return *peers_.emplace_back(std::make_unique<Peer>(context_, now_, Http2Client::Options()));
  }
  void Talk(std::size_t slice = std::string_view::npos) {
    for (const std::unique_ptr<Peer>& peer : peers_) {
      if (peer->connection == nullptr) continue;
      const Status status = Exchange(peer->client, *peer->connection, now_, slice);
      ASSERT_TRUE(status.ok()) << status.ToString();
    }
  }
  void Advance(TimeNs duration) { side_.Advance(duration); }
  std::int64_t Count(metrics::Counter counter) const { return cells_.Get(counter); }
  // The status that the call was answered with, -1 while it was not.
  int StatusOf(std::int32_t id) {
    const std::string status = client().reply(id).Find("grpc-status");
    return status.empty() ? -1 : std::stoi(status);
  }
  std::string MessageOf(std::int32_t id) { return client().reply(id).Find("grpc-message"); }

  GrpcSide side_;
  // By the names that tests use.
  TimeNs& now_ = side_.now;
  const grpc::CallLimits& limits_ = side_.limits;
  FakeMethod& unary_ = side_.unary;
  FakeMethod& stream_ = side_.stream;
  BufferPool& buffers_ = side_.buffers;
  TimerWheel& timers_ = side_.timers;
  grpc::ByteBudget& budget_ = side_.budget;
  metrics::Cells& cells_ = side_.cells;
  grpc::CallContext& context_ = side_.context;
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace penstock
