// The ways in which a call ends that nobody wished for: deadlines, resets, lost connections, slow
// peers; and the limits on what may be alive.
#include "support/grpc_fixture.h"
#include "support/random_source.h"

namespace penstock::grpc {
namespace {

using metrics::Counter;

class CallEndTest : public GrpcFixture {
 protected:
  explicit CallEndTest(const CallLimits& limits = {}, std::size_t budget = 1 << 30)
      : GrpcFixture(limits, budget) {}
  // A call in one of the states in which something may happen to it.
  std::int32_t Receiving(const Http2Client::Fields& more = {}) {
    const std::int32_t id =
        client().Begin(GrpcHeaders(kUnaryPath, more), frames::Message("abcdef").substr(0, 8));
    Talk();
    return id;
  }
  std::int32_t Held(const Http2Client::Fields& more = {}) {
    const std::int32_t id = client().Request(GrpcHeaders(kUnaryPath, more), frames::Message("x"));
    Talk();
    EXPECT_EQ(unary_.held.size(), 1U);
    return id;
  }
};

const Http2Client::Options kNarrow = {.initial_window = 10, .auto_window = false};
const Http2Client::Fields kTimeout = {{"grpc-timeout", "100m"}};

TEST_F(CallEndTest, Deadline_WhileReceiving) {
  const std::int32_t id = Receiving(kTimeout);
  Advance(99 * kMillisecond);
  Talk();
  EXPECT_EQ(StatusOf(id), -1);
  Advance(4 * kMillisecond);
  Talk();
  EXPECT_EQ(StatusOf(id), 4);
  EXPECT_EQ(Count(Counter::kCallsExpired), 1);
  EXPECT_EQ(unary_.cancelled, 0);
}

TEST_F(CallEndTest, Deadline_WhileHeldTellsTheMethod) {
  const std::int32_t id = Held(kTimeout);
  EXPECT_EQ(unary_.held[0]->deadline(), now_ + 100 * kMillisecond);
  Advance(kSecond);
  Talk();
  EXPECT_EQ(StatusOf(id), 4);
  EXPECT_EQ(unary_.cancelled, 1);
  EXPECT_EQ(connection().calls_alive(), 0U);
}

TEST_F(CallEndTest, Deadline_WhileHeldAndStillInUse) {
  unary_.release_at_once = false;
  const std::int32_t id = Held(kTimeout);
  Advance(kSecond);
  Talk();
  EXPECT_EQ(StatusOf(id), 4) << "answered at once, though the memory is in use";
  EXPECT_TRUE(unary_.held[0]->concluded());
  EXPECT_EQ(connection().calls_alive(), 1U);
  EXPECT_EQ(Count(Counter::kCallsReleased), 0);
  unary_.Release(*unary_.held[0]);
  EXPECT_EQ(connection().calls_alive(), 0U);
}

// A run that ends after the deadline may finish the call instead of releasing it.
TEST_F(CallEndTest, FinishAfterDeadline_ReleasesWithoutASecondAnswer) {
  unary_.release_at_once = false;
  const std::int32_t id = Held(kTimeout);
  Advance(kSecond);
  unary_.Finish(*unary_.held[0], Internal("too late"));
  Talk();
  EXPECT_EQ(StatusOf(id), 4);
  EXPECT_EQ(Count(Counter::kCallsFinished), 1);
}

TEST_F(CallEndTest, Deadline_AfterAnswerDoesNothing) {
  const std::int32_t id = Held(kTimeout);
  Reply(*unary_.held[0], "in time");
  unary_.Finish(*unary_.held[0]);
  Advance(kSecond);
  Talk();
  EXPECT_EQ(StatusOf(id), 0);
  EXPECT_EQ(Count(Counter::kCallsExpired), 0);
}

TEST_F(CallEndTest, NoTimeLeft_IsExpiredNotForgotten) {
  const std::int32_t id = Held({{"grpc-timeout", "0n"}});
  Advance(3 * kMillisecond);
  Talk();
  EXPECT_EQ(StatusOf(id), 4);
}

TEST_F(CallEndTest, LongestTimeout_NeverExpires) {
  Held({{"grpc-timeout", "99999999H"}});
  EXPECT_EQ(unary_.held[0]->deadline(), kNever);
  Advance(365 * 86400 * kSecond / 100);
  EXPECT_EQ(unary_.cancelled, 0);
  unary_.Finish(*unary_.held[0]);
}

TEST_F(CallEndTest, Reset_WhileReceiving) {
  const std::int32_t id = Receiving();
  client().Reset(id);
  Talk();
  EXPECT_EQ(Count(Counter::kCallsCancelled), 1);
  EXPECT_EQ(connection().calls_alive(), 0U);
}

TEST_F(CallEndTest, Reset_WhileHeld) {
  for (const bool at_once : {true, false}) {
    unary_.release_at_once = at_once;
    const std::int32_t id = Held();
    client().Reset(id);
    Talk();
    EXPECT_EQ(connection().calls_alive(), at_once ? 0U : 1U);
    unary_.ReleaseAll();
  }
  EXPECT_EQ(unary_.cancelled, 2);
  EXPECT_EQ(Count(Counter::kCallsReleased), 2);
}

TEST_F(CallEndTest, Reset_WhileResponding) {
  Peer& peer = *peers_.emplace_back(std::make_unique<Peer>(context_, now_, kNarrow));
  const std::int32_t id = peer.client.Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
  Talk();
  Reply(*unary_.held[0], std::string(1000, 'x'));
  unary_.Finish(*unary_.held[0]);
  Talk();
  EXPECT_EQ(peer.client.reply(id).body.size(), 10U);
  peer.client.Reset(id);
  Talk();
  EXPECT_EQ(peer.connection->calls_alive(), 0U);
  EXPECT_EQ(Count(Counter::kCallsCancelled), 0) << "it was finished before";
}

TEST_F(CallEndTest, LostConnection_CancelsEveryState) {
  for (const bool at_once : {true, false}) {
    unary_.release_at_once = at_once;
    Peer& peer = AddPeer();
    peer.client.Begin(GrpcHeaders(kUnaryPath));
    peer.client.Begin(GrpcHeaders(kUnaryPath), frames::Message("abc").substr(0, 6));
    peer.client.Request(GrpcHeaders(kUnaryPath, kTimeout), frames::Message("held"));
    peer.client.Begin(GrpcHeaders(kStreamPath), frames::Message("held"));
    Talk();
    EXPECT_EQ(unary_.held.size() + stream_.held.size(), 2U);
    peer.Disconnect();
    EXPECT_EQ(stream_.held.size(), 0U);
    EXPECT_EQ(unary_.held.size(), at_once ? 0U : 1U);
    // What is still held lives on without its connection, may look at itself, and is let go.
    for (Call* call : unary_.held) EXPECT_TRUE(call->concluded());
    Advance(kSecond);
    unary_.ReleaseAll();
  }
  EXPECT_EQ(Count(Counter::kCallsCancelled), 8);
}

TEST_F(CallEndTest, LostConnection_FinishAfterwardsIsHarmless) {
  unary_.release_at_once = false;
  Peer& peer = AddPeer();
  peer.client.Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
  Talk();
  peer.Disconnect();
  Reply(*unary_.held[0], "to nobody");
  unary_.Finish(*unary_.held[0]);
}

TEST_F(CallEndTest, ProtocolError_CancelsWhatIsOpen) {
  Held();
  const Status status = Feed(connection(), frames::Data(0, "on no stream"), now_);
  TakeOutput(connection());
  EXPECT_TRUE(!status.ok() || connection().Done());
  // Answered all the same: the frontend destroys the connection at the end of its turn.
  unary_.Finish(*unary_.held[0]);
  TakeOutput(connection());
}

// ---- limits ----

class StreamLimitTest : public CallEndTest {
 protected:
  StreamLimitTest() : CallEndTest({.max_concurrent_streams = 3}) {}
};

// A client that resets what it opened cannot have more work going on than one that waits.
TEST_F(StreamLimitTest, ResetCalls_CountUntilTheirWorkEnds) {
  unary_.release_at_once = false;
  for (int i = 0; i < 3; ++i) {
    const std::int32_t id = client().Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
    Talk();
    client().Reset(id);
    Talk();
  }
  EXPECT_EQ(connection().calls_alive(), 3U);
  const std::int32_t refused = client().Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
  Talk();
  EXPECT_EQ(client().reply(refused).error_code, NGHTTP2_REFUSED_STREAM);
  unary_.Release(*unary_.held[0]);
  const std::int32_t served = client().Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
  Talk();
  EXPECT_FALSE(client().reply(served).closed);
  unary_.Finish(*unary_.held.back());
  Talk();
  EXPECT_EQ(StatusOf(served), 0);
  unary_.ReleaseAll();
}

class BudgetTest : public CallEndTest {
 protected:
  static constexpr std::size_t kLimit = 1'000'000;
  BudgetTest() : CallEndTest({.message_bytes_max = kLimit}, kLimit) {}
  // Its prefix, or all of it where its window allows.
  std::int32_t Start(Peer& peer, std::size_t size) {
    const std::int32_t id =
        peer.client.Request(GrpcHeaders(kUnaryPath), frames::Message(std::string(size, 'x')));
    Talk();
    return id;
  }
  void FinishOldest() {
    unary_.Finish(*unary_.held.front());
    Talk();
  }
};

TEST_F(BudgetTest, LargeMessages_WaitFirstComeFirstServed) {
  Peer& a = *peers_[0];
  Peer& b = AddPeer();
  Start(a, 700'000);
  EXPECT_EQ(unary_.messages.size(), 1U);
  Start(b, 800'000);
  Start(a, 100'000);  // would fit, but others wait already
  EXPECT_EQ(unary_.messages.size(), 1U);
  EXPECT_EQ(budget_.used(), 700'000U);
  FinishOldest();
  ASSERT_EQ(unary_.messages.size(), 3U);
  EXPECT_EQ(unary_.messages[1].size() + unary_.messages[2].size(), 900'000U);
  EXPECT_EQ(budget_.used(), 900'000U);
  FinishOldest();
  FinishOldest();
}

TEST_F(BudgetTest, SmallMessageThatDoesNotFit_IsRefused) {
  Start(*peers_[0], 990'000);
  const std::int32_t id = Start(*peers_[0], 20'000);
  EXPECT_EQ(StatusOf(id), 8);
  FinishOldest();
  const std::int32_t again = Start(*peers_[0], 20'000);
  EXPECT_EQ(unary_.held.size(), 1U);
  FinishOldest();
  EXPECT_EQ(StatusOf(again), 0);
}

TEST_F(BudgetTest, WaiterThatIsReset_LetsTheNextOneIn) {
  Peer& a = *peers_[0];
  Start(a, 700'000);
  const std::int32_t waiting = Start(a, 900'000);
  Start(a, 300'000);
  a.client.Reset(waiting);
  Talk();
  // The next one fits, and nobody stands before it any more; the next release lets it in at least.
  FinishOldest();
  EXPECT_EQ(unary_.messages.size(), 2U);
  FinishOldest();
}

TEST_F(BudgetTest, WaiterAtTheFrontThatGivesUp_DoesNotBlockTheOthers) {
  Peer& a = *peers_[0];
  Start(a, 700'000);
  const std::int32_t waiting = Start(a, 900'000);
  Start(a, 100'000);
  a.client.Reset(waiting);
  Talk();
  EXPECT_EQ(unary_.messages.size(), 2U) << "200 KB are free and nobody else wants them";
  FinishOldest();
  if (!unary_.held.empty()) FinishOldest();
}

TEST_F(BudgetTest, DeadlineOfAWaiter_GivesUpItsPlace) {
  Start(*peers_[0], 700'000);
  const std::int32_t id = client().Request(GrpcHeaders(kUnaryPath, kTimeout),
                                           frames::Message(std::string(900'000, 'x')));
  Talk();
  Advance(kSecond);
  Talk();
  EXPECT_EQ(StatusOf(id), 4);
  FinishOldest();
  EXPECT_EQ(budget_.used(), 0U);
}

// Both on one connection: what the first gives back when the connection dies must not wake the
// second, which dies with it.
TEST_F(BudgetTest, LostConnectionWithWaiters_WakesNobodyOnIt) {
  Peer& dying = AddPeer();
  Peer& other = AddPeer();
  dying.client.Begin(GrpcHeaders(kUnaryPath),
                     frames::Message(std::string(700'000, 'x')).substr(0, 900));
  Talk();
  dying.client.Begin(GrpcHeaders(kUnaryPath),
                     frames::Message(std::string(700'001, 'x')).substr(0, 900));
  Talk();
  Start(other, 700'002);
  EXPECT_EQ(unary_.messages.size(), 0U);
  dying.Disconnect();
  Talk();
  ASSERT_EQ(unary_.messages.size(), 1U) << "the other connection's turn";
  EXPECT_EQ(unary_.messages[0].size(), 700'002U);
  FinishOldest();
}

TEST_F(BudgetTest, StreamingMessage_IsRefusedWhereItDoesNotFit) {
  Start(*peers_[0], 900'000);
  const std::int32_t id =
      client().Request(GrpcHeaders(kStreamPath), frames::Message(std::string(200'000, 'x')));
  Talk();
  EXPECT_EQ(StatusOf(id), 8);
  FinishOldest();
}

// ---- timeouts of slow peers ----

class SlowPeerTest : public CallEndTest {
 protected:
  Status CheckAfter(TimeNs duration) {
    Advance(duration);
    const Status status = connection().CheckTimeouts(now_);
    return status;
  }
};

TEST_F(SlowPeerTest, UnfinishedHandshake_EndsTheConnection) {
  EXPECT_TRUE(CheckAfter(9 * kSecond).ok());
  ASSERT_TRUE(Feed(connection(), "PRI * HTTP", now_).ok());
  EXPECT_FALSE(CheckAfter(2 * kSecond).ok()) << "some bytes do not buy time";
}

TEST_F(SlowPeerTest, UnfinishedHeaderBlock_EndsTheConnection) {
  Talk();
  EXPECT_TRUE(CheckAfter(100 * kSecond).ok()) << "an idle connection may rest";
  const std::string headers = frames::Headers(1, frames::HeaderBlock({{":method", "POST"}}), 0);
  ASSERT_TRUE(Feed(connection(), headers, now_).ok());
  EXPECT_TRUE(CheckAfter(9 * kSecond).ok());
  EXPECT_FALSE(CheckAfter(2 * kSecond).ok());
  EXPECT_NE(TakeOutput(connection()).find("\x07"), std::string::npos);
  EXPECT_TRUE(connection().Done());
}

TEST_F(SlowPeerTest, SlowMessage_IsAnsweredAfterTheGrace) {
  const std::int32_t id = Receiving();
  EXPECT_TRUE(CheckAfter(9 * kSecond).ok());
  Talk();
  EXPECT_EQ(StatusOf(id), -1);
  EXPECT_TRUE(CheckAfter(2 * kSecond).ok());
  Talk();
  EXPECT_EQ(StatusOf(id), 4);
  EXPECT_EQ(Count(Counter::kCallsFinished), 1);
}

TEST_F(SlowPeerTest, NoMessageAtAll_IsAnsweredAfterTheGrace) {
  const std::int32_t id = client().Begin(GrpcHeaders(kUnaryPath));
  Talk();
  EXPECT_TRUE(CheckAfter(11 * kSecond).ok());
  Talk();
  EXPECT_EQ(StatusOf(id), 4);
}

TEST_F(SlowPeerTest, SteadyMessage_MayTakeItsTime) {
  const std::string message = frames::Message(std::string(60'000, 'x'));
  const std::int32_t id = client().Begin(GrpcHeaders(kUnaryPath));
  Talk();
  for (std::size_t at = 0; at < message.size(); at += 2000) {
    client().Append(id, message.substr(at, 2000));
    Talk();
    EXPECT_TRUE(CheckAfter(kSecond).ok());
    ASSERT_EQ(StatusOf(id), -1) << at;
  }
  client().End(id);
  Talk();
  unary_.Finish(*unary_.held[0]);
  Talk();
  EXPECT_EQ(StatusOf(id), 0);
}

TEST_F(SlowPeerTest, HeldCalls_AreNotThePeersFault) {
  const std::int32_t id = Held();
  EXPECT_TRUE(CheckAfter(100 * kSecond).ok());
  Talk();
  EXPECT_EQ(StatusOf(id), -1);
  unary_.Finish(*unary_.held[0]);
}

TEST_F(SlowPeerTest, StreamingCall_MayRestBetweenMessagesNotWithin) {
  const std::int32_t id = client().Begin(GrpcHeaders(kStreamPath), frames::Message("a"));
  Talk();
  EXPECT_TRUE(CheckAfter(100 * kSecond).ok());
  Talk();
  EXPECT_EQ(StatusOf(id), -1);
  client().Append(id, frames::Message("second").substr(0, 7));
  Talk();
  EXPECT_TRUE(CheckAfter(9 * kSecond).ok());
  Talk();
  EXPECT_EQ(StatusOf(id), -1);
  EXPECT_TRUE(CheckAfter(2 * kSecond).ok());
  Talk();
  EXPECT_EQ(StatusOf(id), 4) << "its reserved bytes would be kept for ever";
  EXPECT_EQ(connection().calls_alive(), 0U);
}

TEST_F(SlowPeerTest, ReplyThatIsNotRead_IsReset) {
  Peer& peer = *peers_.emplace_back(std::make_unique<Peer>(context_, now_, kNarrow));
  const std::int32_t id = peer.client.Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
  Talk();
  Reply(*unary_.held[0], std::string(1000, 'x'));
  unary_.Finish(*unary_.held[0]);
  Talk();
  Advance(29 * kSecond);
  ASSERT_TRUE(peer.connection->CheckTimeouts(now_).ok());
  Talk();
  EXPECT_FALSE(peer.client.reply(id).closed);
  Advance(2 * kSecond);
  ASSERT_TRUE(peer.connection->CheckTimeouts(now_).ok());
  Talk();
  EXPECT_TRUE(peer.client.reply(id).closed);
  EXPECT_EQ(peer.connection->calls_alive(), 0U);
}

// ---- all of it at random ----

// Many calls on a few connections; each step does one thing to one of them. What counts is the end:
// the fixture's live counts.
TEST_F(BudgetTest, RandomLives_EndWithNothingLeft) {
  const std::uint64_t first = RandomSource::Seed(1);
  for (std::uint64_t seed = first; seed < first + 60; ++seed) {
    SCOPED_TRACE(seed);
    RandomSource random(seed);
    peers_.clear();
    for (int i = 0; i < 3; ++i) AddPeer();
    Talk();
    std::vector<std::pair<Peer*, std::int32_t>> open;
    for (int step = 0; step < 150; ++step) {
      Peer& peer = *peers_[random.Below(peers_.size())];
      unary_.release_at_once = random.OneIn(2);
      switch (random.Below(10)) {
        case 0:
        case 1:
        case 2: {
          const std::size_t size = random.OneIn(3) ? random.Below(900'000) : random.Below(2000);
          const std::string message = frames::Message(std::string(size, 'x'));
          const std::int32_t id = peer.client.Begin(
              GrpcHeaders(random.OneIn(6) ? kStreamPath : kUnaryPath,
                          random.OneIn(3) ? Http2Client::Fields{{"grpc-timeout", "300m"}}
                                          : Http2Client::Fields{}),
              random.OneIn(3) ? message.substr(0, random.Below(message.size())) : message);
          if (!random.OneIn(4)) peer.client.End(id);
          open.emplace_back(&peer, id);
          break;
        }
        case 3:
          if (!open.empty()) {
            const auto [owner, id] = open[random.Below(open.size())];
            if (!owner->client.reply(id).closed) owner->client.Reset(id);
          }
          break;
        case 4:
        case 5:
          if (!unary_.held.empty()) {
            Call& call = *unary_.held[random.Below(unary_.held.size())];
            if (!call.concluded()) Reply(call, std::string(random.Below(3000), 'y'));
            unary_.Finish(call, random.OneIn(4) ? Internal("no") : Status());
          }
          break;
        case 6:
          Advance(static_cast<TimeNs>(random.Below(500)) * kMillisecond);
          break;
        case 7:
          Advance(static_cast<TimeNs>(random.Below(9)) * kSecond);
          for (const auto& p : peers_) ASSERT_TRUE(p->connection->CheckTimeouts(now_).ok());
          break;
        default:
          Talk(1 + random.Below(200'000));
      }
      if (random.OneIn(40)) {
        std::erase_if(open, [&peer](const auto& call) { return call.first == &peer; });
        std::erase_if(peers_, [&peer](const auto& p) { return p.get() == &peer; });
        AddPeer();
        Talk();
      }
    }
    peers_.clear();
    unary_.ReleaseAll();
    stream_.ReleaseAll();
    ASSERT_EQ(Count(Counter::kCallsAccepted), Count(Counter::kCallsReleased));
    ASSERT_EQ(Count(Counter::kCallsAccepted), Count(Counter::kCallsFinished));
    ASSERT_EQ(buffers_.live(), 0);
    ASSERT_EQ(budget_.used(), 0U);
  }
}

class CallReserveTest : public CallEndTest {
 protected:
  CallReserveTest() : CallEndTest({}, 1000) {}
};

TEST_F(CallReserveTest, ReserveMore_CountsUntilTheCallEnds) {
  const std::int32_t id = Held();
  grpc::Call& call = *unary_.held[0];
  EXPECT_TRUE(call.ReserveMore(900).ok());
  EXPECT_EQ(budget_.used(), 901U);
  EXPECT_EQ(call.ReserveMore(100).code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(budget_.used(), 901U);
  unary_.held.clear();
  call.Finish({});
  Talk();
  EXPECT_EQ(StatusOf(id), 0);
  EXPECT_EQ(budget_.used(), 0U);
}

}  // namespace
}  // namespace penstock::grpc
