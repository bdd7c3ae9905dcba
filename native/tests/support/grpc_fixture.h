// gRPC connections over fake methods without sockets. Every test ends with all calls finished and
// released, no buffer live, no budget used and no timer armed. One thread.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "grpc/server_connection.h"
#include "support/exchange.h"
#include "support/fake_method.h"
#include "support/frames.h"

namespace penstock {

inline constexpr char kUnaryPath[] = "/test.Service/Unary";
inline constexpr char kStreamPath[] = "/test.Service/Stream";

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
      : limits_(limits), budget_(budget_bytes) {
    router_.Add(kUnaryPath, unary_);
    router_.Add(kStreamPath, stream_);
    peers_.push_back(std::make_unique<Peer>(context_, now_, Http2Client::Options()));
  }
  void TearDown() override {
    peers_.clear();
    EXPECT_TRUE(unary_.held.empty() && stream_.held.empty()) << "the test left calls held";
    using metrics::Counter;
    EXPECT_EQ(cells_.Get(Counter::kCallsAccepted), cells_.Get(Counter::kCallsFinished));
    EXPECT_EQ(cells_.Get(Counter::kCallsAccepted), cells_.Get(Counter::kCallsReleased));
    EXPECT_EQ(buffers_.live(), 0);
    EXPECT_EQ(budget_.used(), 0U);
    // Armed timers would be due in the end; disarmed ones may leave an early guess behind.
    timers_.Advance(now_ + 1'000'000 * kSecond);
    EXPECT_EQ(timers_.NextDue(), kNever);
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
  void Advance(TimeNs duration) {
    now_ += duration;
    timers_.Advance(now_);
  }
  std::int64_t Count(metrics::Counter counter) const { return cells_.Get(counter); }
  // The status that the call was answered with, -1 while it was not.
  int StatusOf(std::int32_t id) {
    const std::string status = client().reply(id).Find("grpc-status");
    return status.empty() ? -1 : std::stoi(status);
  }
  std::string MessageOf(std::int32_t id) { return client().reply(id).Find("grpc-message"); }

  TimeNs now_ = 7 * kSecond;
  const grpc::CallLimits limits_;
  FakeMethod unary_;
  FakeMethod stream_{/*is_streaming=*/true};
  grpc::Router router_;
  BufferPool buffers_;
  BlockPool blocks_;
  TimerWheel timers_{now_};
  grpc::ByteBudget budget_;
  metrics::Cells cells_;
  grpc::CallContext context_{.router = router_,
                             .limits = limits_,
                             .buffers = buffers_,
                             .blocks = blocks_,
                             .timers = timers_,
                             .budget = budget_,
                             .cells = cells_,
                             .free_bodies = {}};
  std::vector<std::unique_ptr<Peer>> peers_;
};

}  // namespace penstock
