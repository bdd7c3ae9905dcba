// One call from its headers to its end: what a good client does, and every way to be refused.
#include "grpc/call.h"

#include "support/grpc_fixture.h"
#include "support/random_source.h"

namespace penstock::grpc {
namespace {

using metrics::Counter;

class CallTest : public GrpcFixture {
 protected:
  CallTest() : GrpcFixture({.message_bytes_max = 1 << 20}) {}
  std::int32_t Unary(const std::string& body, const Http2Client::Fields& more = {}) {
    return client().Request(GrpcHeaders(kUnaryPath, more), body);
  }
};

TEST_F(CallTest, Unary_IsAnswered) {
  unary_.on_message = [this](Call& call) {
    Reply(call, "reply");
    unary_.Finish(call);
  };
  const std::int32_t id = Unary(frames::Message("request"));
  Talk();
  EXPECT_EQ(unary_.messages, std::vector<std::string>{"request"});
  const Http2Client::Reply& reply = client().reply(id);
  EXPECT_EQ(reply.body, frames::Message("reply"));
  EXPECT_EQ(reply.headers,
            (Http2Client::Fields{{":status", "200"}, {"content-type", "application/grpc"}}));
  EXPECT_EQ(reply.trailers, (Http2Client::Fields{{"grpc-status", "0"}}));
  EXPECT_TRUE(reply.ended);
  EXPECT_EQ(Count(Counter::kCallsAccepted), 1);
  EXPECT_EQ(Count(Counter::kCallsReleased), 1) << "before the connection ends";
}

TEST_F(CallTest, EmptyMessageAndEmptyReply_AreMessages) {
  unary_.on_message = [this](Call& call) {
    Reply(call, "");
    unary_.Finish(call);
  };
  const std::int32_t id = Unary(frames::Message(""));
  Talk();
  EXPECT_EQ(client().reply(id).body, frames::Message(""));
  EXPECT_EQ(StatusOf(id), 0);
}

TEST_F(CallTest, AnswerLater_ReachesTheClient) {
  const std::int32_t id = Unary(frames::Message("x"));
  Talk();
  EXPECT_EQ(StatusOf(id), -1);
  Reply(*unary_.held[0], "late");
  const int asked = peers_[0]->output_asked;
  unary_.Finish(*unary_.held[0]);
  EXPECT_GT(peers_[0]->output_asked, asked) << "nobody would flush it";
  Talk();
  EXPECT_EQ(client().reply(id).body, frames::Message("late"));
}

TEST_F(CallTest, Error_ComesWithMessageAndWithoutBody) {
  unary_.on_message = [this](Call& call) {
    Reply(call, "half of an answer");
    unary_.Finish(call, InvalidArgument("100% wrong\n"));
  };
  const std::int32_t id = Unary(frames::Message("x"));
  Talk();
  EXPECT_EQ(StatusOf(id), 3);
  EXPECT_EQ(MessageOf(id), "100%25 wrong%0A");
  EXPECT_EQ(client().reply(id).body, "");
  EXPECT_TRUE(client().reply(id).ended);
}

TEST_F(CallTest, MessageSplitAnywhere_IsOneMessage) {
  unary_.on_message = [this](Call& call) { unary_.Finish(call); };
  const std::string message = frames::Message("a message of some bytes");
  for (std::size_t at = 0; at <= message.size(); ++at) {
    SCOPED_TRACE(at);
    const std::int32_t id = client().Begin(GrpcHeaders(kUnaryPath), message.substr(0, at));
    Talk();
    client().Append(id, message.substr(at));
    Talk();
    client().End(id);
    Talk(/*slice=*/1);
    ASSERT_EQ(StatusOf(id), 0);
    ASSERT_EQ(unary_.messages.back(), "a message of some bytes");
  }
}

TEST_F(CallTest, LargeMessage_ArrivesWholeAndAligned) {
  unary_.on_message = [this](Call& call) { unary_.Finish(call); };
  RandomSource random(RandomSource::Seed(6));
  for (const std::size_t size : {65'530U, 65'531U, 65'532U, 600'000U, 1U << 20}) {
    for (const std::size_t slice : {std::size_t{1} << 20, std::size_t{30'000}, std::size_t{777}}) {
      SCOPED_TRACE(size);
      unary_.aligned_at = random.Below(300);
      const std::string payload = random.Text(size);
      const std::int32_t id = Unary(frames::Message(payload));
      Talk(slice);
      ASSERT_EQ(StatusOf(id), 0);
      ASSERT_TRUE(unary_.messages.back() == payload);
    }
  }
  EXPECT_FALSE(unary_.misaligned);
}

struct RefusedCase {
  const char* name;
  std::string body;
  Http2Client::Fields more;
  int status;
  const char* text;
};

TEST_F(CallTest, BadMessages_AreRefusedWithReasons) {
  const std::vector<RefusedCase> cases = {
      {"two messages", frames::Message("a") + frames::Message("b"), {}, 13, "more than one"},
      {"two messages, the second partial",
       frames::Message("a") + std::string(1, '\0'),
       {},
       13,
       "more"},
      {"no message", "", {}, 13, "ended after 0 of 0"},
      {"half a prefix", std::string(3, '\0'), {}, 13, "ended after"},
      {"half a message", frames::Message("abcdef").substr(0, 8), {}, 13, "ended after 3 of 6"},
      {"compressed", frames::Message("a", true), {{"grpc-encoding", "gzip"}}, 12, "compressed"},
      {"compressed without an encoding", frames::Message("a", true), {}, 13, "grpc-encoding"},
      {"compressed by identity",
       frames::Message("a", true),
       {{"grpc-encoding", "identity"}},
       13,
       ""},
      {"malformed timeout", frames::Message("a"), {{"grpc-timeout", "1s"}}, 3, "grpc-timeout"},
  };
  for (const RefusedCase& test : cases) {
    SCOPED_TRACE(test.name);
    const std::int32_t id = Unary(test.body, test.more);
    Talk();
    EXPECT_EQ(StatusOf(id), test.status) << MessageOf(id);
    EXPECT_NE(MessageOf(id).find(test.text), std::string::npos) << MessageOf(id);
    EXPECT_TRUE(client().reply(id).closed);
    unary_.ReleaseAll();
  }
  EXPECT_TRUE(unary_.messages.empty());
  EXPECT_EQ(Count(Counter::kCallsReleased), static_cast<std::int64_t>(cases.size()));
}

TEST_F(CallTest, CompressedRequest_IsToldWhatIsAccepted) {
  const std::int32_t id = Unary(frames::Message("a", true), {{"grpc-encoding", "gzip"}});
  Talk();
  EXPECT_EQ(client().reply(id).Find("grpc-accept-encoding"), "identity");
  // Named but not used: fine.
  unary_.on_message = [this](Call& call) { unary_.Finish(call); };
  const std::int32_t plain = Unary(frames::Message("a"), {{"grpc-encoding", "gzip"}});
  Talk();
  EXPECT_EQ(StatusOf(plain), 0);
}

TEST_F(CallTest, MessageOverLimit_IsRefusedAtItsPrefix) {
  const std::string prefix = frames::Message(std::string((1 << 20) + 1, 'x')).substr(0, 5);
  const std::int32_t id = client().Begin(GrpcHeaders(kUnaryPath), prefix);
  Talk();
  EXPECT_EQ(StatusOf(id), 8);
  EXPECT_NE(MessageOf(id).find("1048577 bytes; max_message_bytes is 1048576"), std::string::npos);
  EXPECT_TRUE(client().reply(id).closed) << "the rest is not wanted";
  EXPECT_EQ(unary_.begun, 0);
}

TEST_F(CallTest, MethodRefusal_ComesBeforeThePayload) {
  unary_.refusal = ResourceExhausted("no room");
  const std::int32_t id =
      client().Begin(GrpcHeaders(kUnaryPath), frames::Message("abc").substr(0, 5));
  Talk();
  EXPECT_EQ(StatusOf(id), 8);
  EXPECT_EQ(unary_.lengths, std::vector<std::size_t>{3});
}

TEST_F(CallTest, UnknownMethod_IsUnimplemented) {
  const std::int32_t id = client().Request(GrpcHeaders("/no.Such/Method"), frames::Message("x"));
  Talk();
  EXPECT_EQ(StatusOf(id), 12);
  EXPECT_NE(MessageOf(id).find("/no.Such/Method"), std::string::npos);
  EXPECT_EQ(Count(Counter::kCallsFinished), 1);
}

TEST_F(CallTest, NotGrpc_GetsHttpAnswersAndIsNoCall) {
  const auto with = [](std::size_t field, const std::string& value) {
    Http2Client::Fields fields = GrpcHeaders(kUnaryPath);
    fields[field].second = value;
    return fields;
  };
  const std::int32_t json = client().Request(with(4, "application/json"), frames::Message("x"));
  const std::int32_t get = client().Request(with(0, "GET"));
  const std::int32_t put = client().Request(with(0, "PUT"), "x");
  Talk();
  EXPECT_EQ(client().reply(json).Find(":status"), "415");
  EXPECT_EQ(client().reply(get).Find(":status"), "404");
  EXPECT_EQ(client().reply(put).Find(":status"), "405");
  EXPECT_EQ(Count(Counter::kCallsAccepted), 0);
  EXPECT_EQ(connection().calls_alive(), 0U);
}

TEST_F(CallTest, RefusalWhileTheRestArrives_IgnoresTheRest) {
  // All in one read: the answer is not framed yet when the rest of the request comes.
  const std::int32_t id = Unary(frames::Message("a", true) + std::string(50'000, 'x'));
  Talk();
  EXPECT_EQ(StatusOf(id), 13);
}

TEST_F(CallTest, HeadersTooLarge_WithBodyBehindThem) {
  Http2Client::Fields more;
  for (int i = 0; i < 20; ++i) more.emplace_back("x-large", std::string(1000, 'x'));
  const std::int32_t id = Unary(frames::Message("x"), more);
  // The path comes last: no method is known when the limit is passed.
  Http2Client::Fields late = GrpcHeaders(kUnaryPath, more);
  std::swap(late[2], late[3]);
  const std::int32_t other = client().Request(late, frames::Message("x"));
  Talk();
  EXPECT_TRUE(client().reply(id).closed);
  EXPECT_TRUE(client().reply(other).closed);
  EXPECT_EQ(StatusOf(id), -1);
  EXPECT_EQ(connection().calls_alive(), 0U);
}

// ---- streaming ----

TEST_F(CallTest, Streaming_AnswersEachMessageThenEnds) {
  stream_.on_message = [this](Call& call) {
    Reply(call, stream_.messages.back() + "!");
    call.Flush();
  };
  const std::int32_t id = client().Begin(GrpcHeaders(kStreamPath));
  for (const char* message : {"a", "b", "c"}) {
    client().Append(id, frames::Message(message));
    Talk();
  }
  EXPECT_EQ(client().reply(id).body,
            frames::Message("a!") + frames::Message("b!") + frames::Message("c!"));
  EXPECT_FALSE(client().reply(id).ended);
  client().End(id);
  Talk();
  EXPECT_EQ(StatusOf(id), 0);
  EXPECT_EQ(stream_.half_closed, 1);
}

TEST_F(CallTest, StreamingWithoutMessages_Ends) {
  const std::int32_t id = client().Request(GrpcHeaders(kStreamPath));
  Talk();
  EXPECT_EQ(StatusOf(id), 0);
}

TEST_F(CallTest, StreamingMessagesOfAllSizes_NeverStall) {
  stream_.on_message = [](Call&) {};
  RandomSource random(RandomSource::Seed(8));
  const std::int32_t id = client().Begin(GrpcHeaders(kStreamPath));
  std::size_t sent = 0;
  for (const std::size_t size : {30'000U, 50'000U, 60'000U, 65'531U, 1U, 100'000U, 50'000U, 70'000U,
                                 1'000'000U, 10U, 500'000U, 65'000U, 33'000U, 33'000U, 33'000U}) {
    client().Append(id, frames::Message(random.Text(size)));
    Talk();
    ASSERT_EQ(stream_.messages.size(), ++sent) << "stalled at a message of " << size;
    ASSERT_EQ(stream_.messages.back().size(), size);
  }
  client().End(id);
  Talk();
  EXPECT_EQ(StatusOf(id), 0);
}

// The method holds the call since its first message: whatever ends the call must tell it.
TEST_F(CallTest, StreamingBadSecondMessage_LetsTheMethodGo) {
  const std::string first = frames::Message("fine");
  const std::vector<std::pair<std::string, int>> cases = {
      {frames::Message("x", true), 13},
      {frames::Message(std::string((1 << 20) + 1, 'x')).substr(0, 5), 8},
      {frames::Message("abc").substr(0, 6), 13}};
  for (const auto& [second, status] : cases) {
    const std::int32_t id = client().Begin(GrpcHeaders(kStreamPath), first);
    Talk();
    client().Append(id, second);
    client().End(id);
    Talk();
    EXPECT_EQ(StatusOf(id), status);
    EXPECT_EQ(connection().calls_alive(), 0U) << "nothing ends it any more";
    stream_.held.clear();
  }
  EXPECT_EQ(stream_.cancelled, 3);
}

TEST_F(CallTest, StreamingRefusedByMethod_LetsTheMethodGo) {
  const std::int32_t id = client().Begin(GrpcHeaders(kStreamPath), frames::Message("fine"));
  Talk();
  stream_.refusal = InvalidArgument("no more");
  client().Append(id, frames::Message("x"));
  Talk();
  EXPECT_EQ(StatusOf(id), 3);
  EXPECT_EQ(stream_.cancelled, 1);
  EXPECT_EQ(connection().calls_alive(), 0U);
}

// Questions are short and answers long: whoever asks and never reads must not fill our memory.
TEST_F(CallTest, StreamingRepliesNobodyReads_AreBounded) {
  stream_.on_message = [](Call& call) {
    Reply(call, std::string(10'000, 'x'));
    call.Flush();
  };
  Peer& peer = *peers_.emplace_back(
      std::make_unique<Peer>(context_, now_, Http2Client::Options{.initial_window = 0}));
  const std::int32_t id = peer.client.Begin(GrpcHeaders(kStreamPath));
  for (int i = 0; i < 20'000; ++i) peer.client.Append(id, frames::Message("question"));
  Talk();
  // 200 MB, if nothing stops it.
  std::size_t kept = 0;
  for (Call* call : stream_.held) kept += call->BodyAvailable();
  EXPECT_LE(kept, std::size_t{2} << 20);
  EXPECT_EQ(Count(Counter::kCallsFinished), 1);
  EXPECT_EQ(stream_.cancelled, 1);
  // Without window not even the trailers can leave: in the end the stream is reset.
  now_ += limits_.write_stall_timeout + kSecond;
  ASSERT_TRUE(peer.connection->CheckTimeouts(now_).ok());
  Talk();
  EXPECT_TRUE(peer.client.reply(id).closed);
  EXPECT_EQ(peer.connection->calls_alive(), 0U);
  peer.Disconnect();
}

TEST_F(CallTest, Overload_RefusesByTheHeadersAloneAndOnlyWhatMayBeRefused) {
  unary_.is_sheddable = true;
  connection().SetOverload(2 * kSecond);
  const std::int32_t shed = client().Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
  const std::int32_t other = client().Request(GrpcHeaders(kStreamPath), frames::Message("y"));
  Talk();
  EXPECT_EQ(StatusOf(shed), 8);
  EXPECT_NE(MessageOf(shed).find("overloaded"), std::string::npos);
  const int pushback = std::stoi(client().reply(shed).Find("grpc-retry-pushback-ms"));
  EXPECT_GE(pushback, 1600);
  EXPECT_LE(pushback, 2400);
  EXPECT_EQ(unary_.begun, 0) << "not even its length was looked at";
  EXPECT_EQ(buffers_.live(), 0);
  EXPECT_EQ(Count(metrics::Counter::kCallsShed), 1);
  EXPECT_EQ(StatusOf(other), 0);

  connection().SetOverload(0);
  const std::int32_t later = client().Request(GrpcHeaders(kUnaryPath), frames::Message("x"));
  Talk();
  ASSERT_EQ(unary_.held.size(), 1U);
  Reply(*unary_.held[0], "z");
  unary_.Finish(*unary_.held[0]);
  Talk();
  EXPECT_EQ(StatusOf(later), 0);
}

}  // namespace
}  // namespace penstock::grpc
