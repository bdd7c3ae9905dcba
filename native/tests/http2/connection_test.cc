// Traces of HTTP/2 connections without sockets: against a peer library, and against raw frames
// that no library would send. Every fixture ends with all streams closed and the connection's
// window full.
#include "http2/connection.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "support/exchange.h"
#include "support/frames.h"
#include "support/random_source.h"
#include "support/recording_streams.h"

namespace penstock::http2 {
namespace {

constexpr TimeNs kNow = kSecond;
const Http2Client::Fields kRequest = {
    {":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {":authority", "a"}};
constexpr std::array<Header, 2> kReplyHeaders = {{{":status", "200"}, {"a", "b"}}};

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

class ConnectionTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const auto& [id, stream] : events_.streams) EXPECT_TRUE(stream->closed) << id;
  }
  void Answer(StreamId id, const std::string& body) {
    RecordingStream& stream = events_.at(id);
    stream.reply.Append(BytesOf(body));
    stream.reply_ends = true;
    connection_.SubmitResponse(id, kReplyHeaders, stream);
  }
  void Talk() { ASSERT_TRUE(Exchange(client_, connection_, kNow).ok()); }
  void ExpectWindowFull() {
    Talk();
    // nghttp2 gives window back once half of it is used; what is missing is what it holds back.
    EXPECT_GE(client_.ConnectionWindow(), Connection::kConnectionWindow / 2);
  }

  BlockPool memory_;
  RecordingStreams events_;
  Limits limits_;
  Connection connection_{limits_, events_, memory_};
  Http2Client client_;
};

TEST_F(ConnectionTest, Settings_AreExchanged) {
  Talk();
  EXPECT_EQ(client_.settings_acknowledged(), 1);
  EXPECT_EQ(client_.RemoteSetting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS), 1024U);
  EXPECT_EQ(client_.RemoteSetting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE), 65'536U);
  EXPECT_EQ(client_.ConnectionWindow(), Connection::kConnectionWindow);
  client_.Ping();
  Talk();
  EXPECT_EQ(client_.pings_answered(), 1);
}

TEST_F(ConnectionTest, RequestAndResponse_WithTrailers) {
  const StreamId id = client_.Request(kRequest, "hello");
  Talk();
  RecordingStream& stream = events_.at(id);
  EXPECT_TRUE(stream.headers_ended && stream.ended);
  EXPECT_EQ(stream.data, "hello");
  EXPECT_EQ(stream.headers, kRequest);
  Answer(id, "world");
  Talk();
  EXPECT_EQ(client_.reply(id).body, "world");
  EXPECT_EQ(client_.reply(id).headers[0].second, "200");
  EXPECT_EQ(client_.reply(id).trailers, (Http2Client::Fields{{"grpc-status", "0"}}));
  EXPECT_TRUE(client_.reply(id).ended && client_.reply(id).closed);
  ExpectWindowFull();
}

TEST_F(ConnectionTest, BodyInPieces_IsSentAsItGrows) {
  const StreamId id = client_.Request(kRequest);
  Talk();
  RecordingStream& stream = events_.at(id);
  connection_.SubmitResponse(id, kReplyHeaders, stream);
  Talk();
  EXPECT_EQ(client_.reply(id).body, "");
  for (const char* piece : {"a", "b", "c"}) {
    stream.reply.Append(BytesOf(piece));
    connection_.ResumeBody(id);
    Talk();
  }
  EXPECT_EQ(client_.reply(id).body, "abc");
  EXPECT_FALSE(client_.reply(id).ended);
  stream.reply_ends = true;
  connection_.ResumeBody(id);
  Talk();
  EXPECT_TRUE(client_.reply(id).ended);
}

TEST_F(ConnectionTest, ResponseBeforeRequestEnds_ResetsWithNoError) {
  const StreamId id = client_.Begin(kRequest, "half");
  Talk();
  connection_.SubmitHeadersOnly(id, kReplyHeaders);
  Talk();
  EXPECT_TRUE(client_.reply(id).ended);
  EXPECT_TRUE(client_.reply(id).closed);
  EXPECT_EQ(client_.reply(id).error_code, 0U);
}

TEST_F(ConnectionTest, ResponseAfterRequestEnds_IsNotReset) {
  const StreamId id = client_.Request(kRequest, "all");
  Talk();
  Answer(id, std::string(1000, 'x'));
  const std::string output = TakeOutput(connection_);
  EXPECT_EQ(output.find(frames::ResetStream(id, 0)), std::string::npos);
  ASSERT_TRUE(client_.Receive(output));
  Talk();
}

TEST_F(ConnectionTest, ResetByPeer_ClosesTheStream) {
  const StreamId id = client_.Begin(kRequest, "half");
  Talk();
  client_.Reset(id);
  Talk();
  EXPECT_TRUE(events_.at(id).closed);
  EXPECT_EQ(events_.at(id).close_code, ErrorCode::kCancel);
}

// What is submitted for a stream that the peer has reset in the meantime goes nowhere.
TEST_F(ConnectionTest, ResetWhileReplyIsQueued_DropsTheReply) {
  const StreamId id = client_.Begin(kRequest, "half");
  Talk();
  Answer(id, std::string(100'000, 'x'));
  ASSERT_TRUE(Feed(connection_, frames::ResetStream(id, 8), kNow).ok());
  EXPECT_TRUE(events_.at(id).closed);
  events_.streams.erase(id);  // as a user would: nothing may look at it any more
  TakeOutput(connection_);
}

TEST_F(ConnectionTest, RefusedStreams_KeepHpackInStep) {
  events_.refuse = true;
  std::vector<StreamId> refused;
  for (int i = 0; i < 20; ++i) {
    Http2Client::Fields fields = kRequest;
    fields.emplace_back("x-entry-" + std::to_string(i), "value " + std::to_string(i));
    refused.push_back(client_.Request(fields, "body"));
  }
  Talk();
  for (const StreamId id : refused) {
    EXPECT_EQ(client_.reply(id).error_code, static_cast<std::uint32_t>(ErrorCode::kRefusedStream));
  }
  events_.refuse = false;
  Http2Client::Fields fields = kRequest;
  for (int i = 0; i < 20; ++i) {
    fields.emplace_back("x-entry-" + std::to_string(i), "value " + std::to_string(i));
  }
  const StreamId id = client_.Request(fields);
  Talk();
  EXPECT_EQ(events_.at(id).headers, fields);
  Answer(id, "");
  ExpectWindowFull();
}

TEST_F(ConnectionTest, HeaderListTooLarge_ResetsOnlyItsStream) {
  Http2Client::Fields fields = kRequest;
  for (int i = 0; i < 10; ++i)
    fields.emplace_back("x-" + std::to_string(i), std::string(2000, 'x'));
  const StreamId large = client_.Request(fields, std::string(3000, 'y'));
  Http2Client::Fields many = kRequest;
  for (int i = 0; i < 200; ++i) many.emplace_back("x", "y");
  const StreamId numerous = client_.Request(many, "z");
  const StreamId good = client_.Request(kRequest);
  Talk();
  for (const StreamId id : {large, numerous}) {
    EXPECT_FALSE(events_.at(id).headers_ended);
    EXPECT_EQ(events_.at(id).data, "");
    EXPECT_EQ(events_.at(id).close_code, ErrorCode::kEnhanceYourCalm);
  }
  EXPECT_TRUE(events_.at(good).headers_ended);
  Answer(good, "fine");
  Talk();
  EXPECT_EQ(client_.reply(good).body, "fine");
}

TEST_F(ConnectionTest, FieldThatIsNoHttp_ResetsOnlyItsStream) {
  Http2Client::Fields fields = kRequest;
  fields.emplace_back("grpc-timeout", " 1S");  // RFC 9113 8.2.1: no white space around values
  const StreamId spaced = client_.Request(fields, "y");
  const StreamId good = client_.Request(kRequest);
  Talk();
  EXPECT_FALSE(events_.at(spaced).headers_ended);
  EXPECT_EQ(events_.at(spaced).close_code, ErrorCode::kProtocolError);
  Answer(good, "fine");
  Talk();
  EXPECT_EQ(client_.reply(good).body, "fine");
}

TEST_F(ConnectionTest, StreamWindow_IsWhatWasGranted) {
  const std::string body(200'000, 'x');
  const StreamId id = client_.Request(kRequest, body);
  Talk();
  EXPECT_EQ(events_.at(id).data.size(), 65'536U) << "no more without a grant";
  connection_.GrantWindow(id, body.size());
  Talk();
  EXPECT_EQ(events_.at(id).data.size(), body.size());
  EXPECT_TRUE(events_.at(id).ended);
  Answer(id, "");
  ExpectWindowFull();
}

TEST_F(ConnectionTest, ConsumedStream_GoesOnForEver) {
  const StreamId id = client_.Begin(kRequest);
  Talk();
  std::size_t consumed = 0;
  for (int i = 0; i < 100; ++i) {
    client_.Append(id, std::string(20'000, 'x'));
    Talk();
    const std::size_t received = events_.at(id).data.size();
    connection_.ConsumeStream(id, received - consumed);
    consumed = received;
  }
  Talk();
  EXPECT_EQ(events_.at(id).data.size(), 2'000'000U);
  client_.End(id);
  Talk();
  Answer(id, "");
  ExpectWindowFull();
}

// DATA for streams that are gone, and padding, count against the connection's window as well.
TEST_F(ConnectionTest, UnwantedData_GivesTheConnectionWindowBack) {
  for (int i = 0; i < 400; ++i) {
    const StreamId id = client_.Begin(kRequest, std::string(60'000, 'x'));
    const std::string request = client_.TakeOutput();
    if (i % 2 == 0) {
      events_.refuse = true;
      ASSERT_TRUE(Feed(connection_, request, kNow).ok());
      events_.refuse = false;
    } else {
      // Answered before the body came.
      ASSERT_TRUE(Feed(connection_, std::string_view(request).substr(0, 60), kNow).ok());
      if (events_.streams.contains(id)) connection_.SubmitHeadersOnly(id, kReplyHeaders);
      const std::string reply = TakeOutput(connection_);
      ASSERT_TRUE(Feed(connection_, std::string_view(request).substr(60), kNow).ok());
      ASSERT_TRUE(client_.Receive(reply));
    }
    Talk();
  }
  ExpectWindowFull();
}

// The whole message stands in its buffer in the end, and what came in place was not copied.
TEST(ConnectionRawTest, LargeMessage_IsReceivedInPlace) {
  RandomSource random(RandomSource::Seed(9));
  const std::string body = random.Text(600'000);
  for (const std::size_t slice : {1'000'000U, 70'000U, 5000U, 1460U, 17U}) {
    SCOPED_TRACE(slice);
    BlockPool memory;
    RecordingStreams events;
    events.target_size = body.size();
    Connection connection({}, events, memory);
    Http2Client client({.frame_size = 100'000});
    const StreamId id = client.Begin(kRequest);
    ASSERT_TRUE(Exchange(client, connection, kNow).ok());
    connection.GrantWindow(id, body.size());
    ASSERT_TRUE(Exchange(client, connection, kNow).ok());
    client.Append(id, body);
    client.End(id);
    ASSERT_TRUE(Exchange(client, connection, kNow, slice).ok());
    RecordingStream& stream = events.at(id);
    EXPECT_TRUE(stream.ended);
    ASSERT_TRUE(stream.data == body);
    if (slice >= 5000) {
      EXPECT_GE(stream.in_place_bytes, body.size() * 8 / 10);
    }
    client.Reset(id);
    ASSERT_TRUE(Exchange(client, connection, kNow).ok());
    EXPECT_TRUE(stream.closed);
  }
}

TEST(ConnectionRawTest, PaddedData_GivesTheConnectionWindowBack) {
  BlockPool memory;
  RecordingStreams events;
  Connection connection({}, events, memory);
  const std::string block =
      frames::HeaderBlock({{":method", "POST"}, {":scheme", "http"}, {":path", "/x"}});
  std::string input = std::string(frames::kPreface) + frames::Settings();
  std::string padded(1, '\xff');
  padded.append(1 + 255, '\0');
  ASSERT_TRUE(Feed(connection, input, kNow).ok());
  std::string output;
  std::size_t sent = 0;
  for (StreamId id = 1; sent < 2U * Connection::kConnectionWindow; id += 2) {
    std::string request = frames::Headers(id, block);
    for (int i = 0; i < 200; ++i) request += frames::Data(id, padded, kFlagPadded);
    request += frames::ResetStream(id, 8);
    sent += 200 * padded.size();
    ASSERT_TRUE(Feed(connection, request, kNow + id * kSecond).ok()) << sent;
    output += TakeOutput(connection);
  }
  EXPECT_NE(output.find(frames::WindowUpdate(0, 0).substr(0, 9)), std::string::npos);
}

TEST(ConnectionRawTest, ClientWithTinyWindow_GetsAllBySmallSteps) {
  BlockPool memory;
  RecordingStreams events;
  Connection connection({}, events, memory);
  Http2Client client({.initial_window = 100, .auto_window = false});
  const StreamId a = client.Request(kRequest);
  const StreamId b = client.Request(kRequest);
  ASSERT_TRUE(Exchange(client, connection, kNow).ok());
  RandomSource random(RandomSource::Seed(2));
  const std::string body = random.Text(5000);
  for (const StreamId id : {a, b}) {
    RecordingStream& stream = events.at(id);
    stream.reply.Append(BytesOf(body));
    stream.reply_ends = true;
    connection.SubmitResponse(id, kReplyHeaders, stream);
  }
  ASSERT_TRUE(Exchange(client, connection, kNow).ok());
  EXPECT_EQ(client.reply(a).body.size(), 100U);
  for (std::size_t had = 0; had < body.size();) {
    const std::size_t now_has = client.reply(a).body.size();
    ASSERT_GT(now_has, had);
    client.Consume(a, now_has - had);
    had = now_has;
    ASSERT_TRUE(Exchange(client, connection, kNow).ok());
  }
  EXPECT_TRUE(client.reply(a).body == body);
  EXPECT_TRUE(client.reply(a).ended);
  EXPECT_EQ(client.reply(b).body.size(), 100U) << "the other one did not read";
  client.Reset(b);
  ASSERT_TRUE(Exchange(client, connection, kNow).ok());
  EXPECT_TRUE(events.at(b).closed);
}

TEST(ConnectionRawTest, OutputHighWater_BoundsWhatIsFramed) {
  BlockPool memory;
  RecordingStreams events;
  Connection connection({}, events, memory);
  Http2Client client({.initial_window = 100'000'000});
  const StreamId id = client.Request(kRequest);
  ASSERT_TRUE(Exchange(client, connection, kNow).ok());
  RecordingStream& stream = events.at(id);
  stream.reply.Append(BytesOf(std::string(10'000'000, 'x')));
  stream.reply_ends = true;
  connection.SubmitResponse(id, kReplyHeaders, stream);
  connection.Pump();
  EXPECT_GE(connection.output().pending_bytes(), Connection::kOutputHighWater);
  EXPECT_LE(connection.output().pending_bytes(), 2 * Connection::kOutputHighWater);
  ASSERT_TRUE(Exchange(client, connection, kNow).ok());
  EXPECT_EQ(client.reply(id).body.size(), 10'000'000U);
}

// The error code of the GOAWAY that ends `output`; nothing where there is none.
std::optional<std::uint32_t> GoawayCode(std::string_view output) {
  const std::string head = frames::Frame(FrameType::kGoaway, 0, 0, "").substr(3);
  const std::size_t at = output.find(head);
  if (at == std::string_view::npos) return std::nullopt;
  std::uint32_t code = 0;
  for (const char c : output.substr(at + head.size() + 4, 4)) {
    code = (code << 8) | static_cast<unsigned char>(c);
  }
  return code;
}

// nghttp2 has a limit of its own, and says no more than that the connection is at its end.
TEST(ConnectionRawTest, ContinuationFlood_EndsTheConnection) {
  std::string bytes = std::string(frames::kPreface) + frames::Settings() +
                      frames::Headers(1, frames::HeaderBlock({{"a", "b"}}), 0);
  for (int i = 0; i < 50; ++i) bytes += frames::Frame(FrameType::kContinuation, 0, 1, "");
  for (const std::size_t slice : {std::size_t{1} << 20, std::size_t{1000}, std::size_t{7}}) {
    BlockPool memory;
    RecordingStreams events;
    Connection connection({}, events, memory);
    EXPECT_FALSE(Feed(connection, bytes, kNow, slice).ok());
    TakeOutput(connection);
  }
}

TEST(ConnectionRawTest, LargeHeaderBlock_EndsTheConnectionAtItsHeader) {
  BlockPool memory;
  RecordingStreams events;
  Connection connection({}, events, memory);
  ASSERT_TRUE(Feed(connection, std::string(frames::kPreface) + frames::Settings(), kNow).ok());
  const std::string frame = frames::Headers(1, std::string(100'000, 'x'));
  EXPECT_FALSE(Feed(connection, std::string_view(frame).substr(0, 9), kNow).ok());
  EXPECT_EQ(GoawayCode(TakeOutput(connection)),
            static_cast<std::uint32_t>(ErrorCode::kEnhanceYourCalm));
  EXPECT_TRUE(connection.Done());
}

TEST(ConnectionRawTest, PingFlood_EndsTheConnection) {
  BlockPool memory;
  RecordingStreams events;
  Connection connection({}, events, memory);
  ASSERT_TRUE(Feed(connection, std::string(frames::kPreface) + frames::Settings(), kNow).ok());
  int answered = 0;
  // A peer that reads the answers, so that only their number is wrong.
  while (answered < 100'000 && Feed(connection, frames::Ping(), kNow).ok()) {
    EXPECT_FALSE(TakeOutput(connection).empty());
    ++answered;
  }
  EXPECT_LT(answered, 20'000);
  EXPECT_EQ(GoawayCode(TakeOutput(connection)),
            static_cast<std::uint32_t>(ErrorCode::kEnhanceYourCalm));
  EXPECT_TRUE(connection.Done());
}

// An error at once, or a GOAWAY after which there is nothing left to do.
TEST(ConnectionRawTest, GarbageAfterPreface_EndsTheConnection) {
  for (const std::string& first : {frames::Settings(), std::string()}) {
    for (const std::size_t slice : {std::size_t{1} << 20, std::size_t{7}}) {
      BlockPool memory;
      RecordingStreams events;
      Connection connection({}, events, memory);
      const std::string bytes = std::string(frames::kPreface) + first + std::string(1000, '\x7f');
      const Status status = Feed(connection, bytes, kNow, slice);
      TakeOutput(connection);
      EXPECT_TRUE(!status.ok() || connection.Done());
      EXPECT_EQ(events.begun, 0);
    }
  }
}

TEST(ConnectionRawTest, NoPreface_EndsTheConnection) {
  BlockPool memory;
  RecordingStreams events;
  Connection connection({}, events, memory);
  EXPECT_FALSE(Feed(connection, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", kNow).ok());
  TakeOutput(connection);
}

// Bytes of a peer that knows the protocol and then breaks it: no crash, no CHECK, whatever comes.
TEST(ConnectionRawTest, MutatedTraffic_NeverCrashes) {
  const std::uint64_t first = RandomSource::Seed(1);
  for (std::uint64_t seed = first; seed < first + 400; ++seed) {
    SCOPED_TRACE(seed);
    RandomSource random(seed);
    BlockPool memory;
    RecordingStreams events;
    events.target_size = random.OneIn(2) ? 100'000 : 0;
    Connection connection({}, events, memory);
    Http2Client client;
    std::string bytes;
    for (int i = 0; i < 6; ++i) {
      client.Request(kRequest, random.Text(random.Below(30'000)));
      bytes += client.TakeOutput();
    }
    for (std::size_t n = random.Below(6); n > 0; --n) {
      bytes[24 + random.Below(bytes.size() - 24)] = static_cast<char>(random.Below(256));
    }
    Status status;
    while (!bytes.empty() && status.ok()) {
      const std::size_t part = 1 + random.Below(std::min<std::size_t>(bytes.size(), 20'000));
      status =
          Feed(connection, std::string_view(bytes).substr(0, part), kNow, 1 + random.Below(9000));
      bytes.erase(0, part);
      for (auto& [id, stream] : events.streams) {
        if (stream->closed || stream->reply_ends || !random.OneIn(3)) continue;
        stream->reply_ends = true;
        stream->reply.Append(BytesOf("reply"));
        connection.SubmitResponse(id, kReplyHeaders, *stream);
      }
      if (random.OneIn(2)) TakeOutput(connection);
    }
    for (auto& [id, stream] : events.streams) {
      if (!stream->closed && random.OneIn(2)) connection.Reset(id, ErrorCode::kCancel);
    }
    TakeOutput(connection);
  }
}

TEST_F(ConnectionTest, GracefulShutdown_NoticeThenLastStream) {
  const StreamId before = client_.Begin(kRequest, "half");
  Talk();
  connection_.BeginShutdown();
  // Crosses the notice on its way.
  const StreamId crossing = client_.Request(kRequest);
  Talk();
  ASSERT_EQ(client_.goaways().size(), 1U);
  EXPECT_EQ(client_.goaways()[0].last_stream_id, 0x7fffffff);
  EXPECT_EQ(client_.goaways()[0].error_code, 0U);
  EXPECT_TRUE(events_.at(crossing).headers_ended);
  connection_.FinishShutdown();
  Talk();
  ASSERT_EQ(client_.goaways().size(), 2U);
  EXPECT_EQ(client_.goaways()[1].last_stream_id, crossing);
  EXPECT_FALSE(connection_.Done());
  client_.End(before);
  Talk();
  Answer(before, "first");
  Answer(crossing, "second");
  Talk();
  EXPECT_EQ(client_.reply(before).body, "first");
  EXPECT_EQ(client_.reply(crossing).body, "second");
  EXPECT_TRUE(connection_.Done());
}

TEST_F(ConnectionTest, ShutdownAtRest_IsDoneAtOnce) {
  Talk();
  connection_.BeginShutdown();
  connection_.FinishShutdown();
  Talk();
  EXPECT_TRUE(connection_.Done());
}

TEST_F(ConnectionTest, ManyStreamsInRandomOrder_AllGetTheirOwn) {
  RandomSource random(RandomSource::Seed(4));
  std::map<StreamId, std::string> bodies;
  for (int round = 0; round < 30; ++round) {
    std::vector<StreamId> ids;
    for (std::size_t i = 0; i < 20; ++i) {
      const std::string body = random.Text(random.Below(40'000));
      ids.push_back(client_.Request(kRequest, body));
      bodies[ids.back()] = body;
    }
    ASSERT_TRUE(Exchange(client_, connection_, kNow, 1 + random.Below(20'000)).ok());
    while (!ids.empty()) {
      const std::size_t i = random.Below(ids.size());
      ASSERT_TRUE(events_.at(ids[i]).data == bodies[ids[i]]);
      Answer(ids[i], bodies[ids[i]] + "!");
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i));
    }
    Talk();
  }
  for (const auto& [id, body] : bodies) ASSERT_TRUE(client_.reply(id).body == body + "!") << id;
  ExpectWindowFull();
}

}  // namespace
}  // namespace penstock::http2
