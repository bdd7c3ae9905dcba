// LoadRun against servers of this process: good, slow, wrong, silent ones. Real sockets on
// loopback. Only OpenLoop_ServerStalls asserts on time, because that is what it is about: from
// below, and one load against the other.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <time.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <penstock/load.h>

#include "base/thread.h"
#include "load/test_server.h"
#include "net/socket.h"

namespace penstock::load {
namespace {

LoadPayload TestPayload(std::string message = "hello") {
  return {.path = std::string(kTestPath),
          .messages = {std::move(message)},
          .check = AnswerCheck::kBytes};
}

LoadOptions OpenLoop(std::uint16_t port, double rate, double duration_s) {
  return {.port = port,
          .payloads = {TestPayload()},
          .connections = 2,
          .segments = {{.duration_s = duration_s, .rate_start = rate, .rate_end = rate}}};
}

LoadOptions ClosedLoop(std::uint16_t port, int concurrency, std::int64_t requests) {
  return {.port = port,
          .payloads = {TestPayload()},
          .connections = 2,
          .mode = LoadMode::kClosed,
          .concurrency = concurrency,
          .duration_s = 100,
          .requests_max = requests};
}

std::int64_t SumOfEnds(const LoadCounts& counts) {
  return counts.ok + counts.wrong + counts.shed + counts.deadline_missed + counts.errors +
         counts.transport_errors + counts.unanswered + counts.generator_limited;
}

LoadResult Measure(LoadOptions options) {
  Error error;
  const std::unique_ptr<LoadRun> run = LoadRun::Create(std::move(options), &error);
  EXPECT_NE(run, nullptr) << error.message;
  if (run == nullptr) return {};
  run->Start();
  EXPECT_TRUE(run->Wait(60));
  const LoadResult result = run->Result();
  EXPECT_EQ(result.counts.offered, SumOfEnds(result.counts));
  return result;
}

TEST(LoadRun, OpenLoop_GoodServer_AnswersEveryCall) {
  TestServer server(Echo);
  LoadOptions options = OpenLoop(server.port(), 2000, 0.5);
  options.keep_second_buckets = true;
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.end, LoadEnd::kFinished) << result.failure;
  EXPECT_NEAR(static_cast<double>(result.counts.offered), 1000, 160);  // five deviations
  EXPECT_EQ(result.counts.ok, result.counts.offered);
  EXPECT_EQ(result.counts.sent, result.counts.offered);
  EXPECT_EQ(result.counts.statuses.at(0), result.counts.offered);
  EXPECT_EQ(result.latency.count, result.counts.offered);
  EXPECT_EQ(result.schedule_error.count, result.counts.offered);
  std::int64_t in_seconds = 0;
  std::int64_t in_buckets = 0;
  for (const LoadSecond& second : result.seconds) {
    in_seconds += second.ok;
    for (const LoadBucket& bucket : second.buckets) in_buckets += bucket.count;
  }
  EXPECT_EQ(in_seconds, result.counts.ok);
  EXPECT_EQ(in_buckets, result.counts.ok);
}

TEST(LoadRun, ClosedLoop_RequestsMax_EndsAfterSoMany) {
  TestServer server(Echo);
  const LoadResult result = Measure(ClosedLoop(server.port(), 8, 5000));
  EXPECT_EQ(result.end, LoadEnd::kFinished);
  EXPECT_EQ(result.counts.ok, 5000);
  EXPECT_EQ(result.schedule_error.count, 0);
}

TEST(LoadRun, ClosedLoop_MessagesOfManySizes_ComeBackWhole) {
  TestServer server(Echo);
  LoadOptions options = ClosedLoop(server.port(), 4, 400);
  std::vector<std::string>& messages = options.payloads[0].messages;
  messages = {"", "x"};
  for (const std::size_t size : {70'000U, 600'000U, 3'000'000U}) {
    std::string message(size, '\0');
    for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<char>(i * 31 >> 3);
    messages.push_back(std::move(message));
  }
  options.payloads[0].expected = messages;
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.counts.ok, 400) << (result.examples.empty() ? "" : result.examples[0].text);
}

// A server that does nothing for 100 ms every second: what one that collects garbage looks like.
class Staller {
 public:
  void operator()(grpc::Call& call, Buffer message) {
    const TimeNs second = SteadyClock().Now() / kSecond;
    if (second != stalled_in_) {
      stalled_in_ = second;
      const timespec stall = {.tv_sec = 0, .tv_nsec = 100 * kMillisecond};
      nanosleep(&stall, nullptr);
    }
    Echo(call, std::move(message));
  }

 private:
  TimeNs stalled_in_ = -1;
};

TEST(LoadRun, OpenLoop_ServerStalls_TailShowsWhatClosedLoopHides) {
  TestServer server(Staller{});
  LoadOptions open = OpenLoop(server.port(), 500, 3);
  open.arrivals = Arrivals::kConstant;
  // 10 % of the calls are due during a stall; the last tenth of them waits 90 ms and more.
  const LoadResult honest = Measure(std::move(open));
  EXPECT_EQ(honest.counts.ok, honest.counts.offered);
  EXPECT_GT(honest.latency.PercentileUs(99), 70'000);
  EXPECT_GT(honest.latency.PercentileUs(95), 30'000);

  LoadOptions closed = ClosedLoop(server.port(), 1, 0);
  closed.connections = 1;
  closed.duration_s = 3;
  const LoadResult flattering = Measure(std::move(closed));
  EXPECT_GT(flattering.latency.max_us, 70'000);
  EXPECT_LT(2 * flattering.latency.PercentileUs(95), honest.latency.PercentileUs(95));
}

TEST(LoadRun, Statuses_EachHasItsOwnCount) {
  int n = 0;
  TestServer server([&n](grpc::Call& call, Buffer message) {
    switch (n++ % 4) {
      case 0:
        return Echo(call, std::move(message));
      case 1:
        return call.Finish(ResourceExhausted("busy"));
      case 2:
        return call.Finish(DeadlineExceeded("late"));
      default:
        return call.Finish(NotFound("no such model"));
    }
  });
  const LoadResult result = Measure(ClosedLoop(server.port(), 1, 400));
  EXPECT_EQ(result.counts.ok, 100);
  EXPECT_EQ(result.counts.shed, 100);
  EXPECT_EQ(result.shed_latency.count, 100);
  EXPECT_EQ(result.counts.deadline_missed, 100);
  EXPECT_EQ(result.counts.errors, 100);
  EXPECT_EQ(result.counts.statuses,
            (std::map<int, std::int64_t>{{0, 100}, {4, 100}, {5, 100}, {8, 100}}));
  EXPECT_EQ(result.examples.size(), 3U);
}

TEST(LoadRun, WrongAnswers_AreCountedApart) {
  int n = 0;
  TestServer server([&n](grpc::Call& call, Buffer message) {
    if (n++ % 10 == 9) message.data()[0] ^= std::byte{1};
    Echo(call, std::move(message));
  });
  const LoadResult result = Measure(ClosedLoop(server.port(), 1, 100));
  EXPECT_EQ(result.counts.ok, 90);
  EXPECT_EQ(result.counts.wrong, 10);
  EXPECT_EQ(result.counts.statuses.at(0), 100);
  ASSERT_EQ(result.examples.size(), 1U);
  EXPECT_EQ(result.examples[0].text, "wrong answer: answer differs at byte 0");
}

TEST(LoadRun, Deadline_ServerNeverAnswers_GivesUpAndSaysSo) {
  TestServer server([](grpc::Call&, Buffer) {});
  LoadOptions options = ClosedLoop(server.port(), 4, 40);
  options.payloads[0].timeout_us = 20'000;
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.end, LoadEnd::kFinished);
  EXPECT_EQ(result.counts.deadline_missed, 40);
  EXPECT_GE(result.latency.min_us, 20'000);
  EXPECT_EQ(result.latency.count, 40);
}

TEST(LoadRun, Stall_ServerNeverAnswers_EndsWithPartialResults) {
  TestServer server([](grpc::Call&, Buffer) {});
  LoadOptions options = OpenLoop(server.port(), 1000, 60);
  options.stall_timeout_s = 0.3;
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.end, LoadEnd::kStalled);
  EXPECT_NE(result.failure.find("no answer for"), std::string::npos) << result.failure;
  EXPECT_GT(result.counts.unanswered, 0);
  EXPECT_EQ(result.counts.unanswered, result.counts.offered);
}

TEST(LoadRun, InFlightMax_SlowServer_CountsWhatWasNotSent) {
  TestServer server([](grpc::Call&, Buffer) {});
  LoadOptions options = OpenLoop(server.port(), 2000, 0.2);
  options.in_flight_max = 50;
  options.drain_timeout_s = 0;
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.counts.sent, 50);
  EXPECT_EQ(result.counts.unanswered, 50);
  EXPECT_EQ(result.counts.generator_limited, result.counts.offered - 50);
}

TEST(LoadRun, StreamLimit_FewStreams_CallsWaitAndAreCounted) {
  TestServer server(Staller{}, {.max_concurrent_streams = 2});
  const LoadResult result = Measure(OpenLoop(server.port(), 2000, 1.2));
  EXPECT_EQ(result.counts.ok, result.counts.offered);
  EXPECT_EQ(result.stream_limit, 2);
  EXPECT_GT(result.stream_limited, 0);
}

TEST(LoadRun, Source_OfEachPayload_IsTheClientThatTheServerSees) {
  std::map<std::pair<std::uint64_t, std::size_t>, std::int64_t> seen;  // by client and length
  const auto count = [&seen](grpc::Call& call, Buffer message) {
    ++seen[{call.client(), message.bytes().size()}];
    Echo(call, std::move(message));
  };
  LoadResult result;
  {
    TestServer server(count);
    LoadOptions options = OpenLoop(server.port(), 2000, 0.5);
    options.payloads = {TestPayload("a"), TestPayload("bb"), TestPayload("ccc")};
    options.payloads[0].source = options.payloads[2].source = "127.0.0.2";
    options.payloads[1].source = "127.0.0.3";
    result = Measure(std::move(options));
  }
  EXPECT_EQ(result.counts.ok, result.counts.offered);
  std::map<std::size_t, std::uint64_t> client_of;
  for (const auto& [key, calls] : seen) {
    const auto& [client, length] = key;
    EXPECT_TRUE(client_of.emplace(length, client).second) << "of two sources: " << length;
    EXPECT_EQ(calls, result.payloads[length - 1].counts.ok);
  }
  ASSERT_EQ(client_of.size(), 3U);
  EXPECT_EQ(client_of[1], client_of[3]);
  EXPECT_NE(client_of[1], client_of[2]);
}

TEST(LoadRun, Source_NotOfThisMachine_SaysSo) {
  TestServer server(Echo);
  LoadOptions options = OpenLoop(server.port(), 100, 1);
  options.payloads[0].source = "192.0.2.1";  // for documentation, never assigned
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.end, LoadEnd::kNotConnected);
  EXPECT_NE(result.failure.find("source address"), std::string::npos) << result.failure;
}

TEST(LoadRun, Stop_WhileRunning_KeepsWhatWasMeasured) {
  std::atomic<int> answered = 0;
  TestServer server([&answered](grpc::Call& call, Buffer message) {
    Echo(call, std::move(message));
    ++answered;
    answered.notify_all();
  });
  Error error;
  const auto run = LoadRun::Create(OpenLoop(server.port(), 1000, 3600), &error);
  ASSERT_NE(run, nullptr);
  run->Start();
  for (int seen = 0; seen < 100; seen = answered.load()) answered.wait(seen);
  run->Stop();
  ASSERT_TRUE(run->Wait(60));
  const LoadResult& result = run->Result();
  EXPECT_EQ(result.end, LoadEnd::kStopped);
  EXPECT_GT(result.counts.ok, 0);
  EXPECT_EQ(result.counts.offered, SumOfEnds(result.counts));
  EXPECT_EQ(run->Snapshot().end, LoadEnd::kStopped);
  EXPECT_LT(result.duration_s, 3600);
}

TEST(LoadRun, Destroyed_WhileRunning_Joins) {
  TestServer server(Echo);
  Error error;
  const auto run = LoadRun::Create(OpenLoop(server.port(), 1000, 3600), &error);
  ASSERT_NE(run, nullptr);
  run->Start();
}

TEST(LoadRun, ConnectionsLost_ServerStillThere_Reconnects) {
  std::atomic<int> calls = 0;
  TestServer* serving = nullptr;
  TestServer server([&calls, &serving](grpc::Call& call, Buffer message) {
    if (++calls == 50) serving->CloseConnections();
    Echo(call, std::move(message));
  });
  serving = &server;
  LoadOptions options = OpenLoop(server.port(), 1000, 1);
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.end, LoadEnd::kFinished) << result.failure;
  EXPECT_EQ(result.connections_lost, 2);
  EXPECT_GT(result.counts.transport_errors, 0);
  EXPECT_GT(result.counts.ok, 100);
}

TEST(LoadRun, GoAway_ServerLeavesForGood_EndsWithPartialResults) {
  std::atomic<int> calls = 0;
  TestServer* serving = nullptr;
  TestServer server([&calls, &serving](grpc::Call& call, Buffer message) {
    if (++calls == 50) serving->BeginDrain();
    Echo(call, std::move(message));
  });
  serving = &server;
  LoadOptions options = OpenLoop(server.port(), 1000, 60);
  options.connect_timeout_s = 0.2;
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.end, LoadEnd::kDisconnected) << result.failure;
  EXPECT_NE(result.failure.find("was lost"), std::string::npos) << result.failure;
  EXPECT_GE(result.counts.ok, 50);
  EXPECT_GT(result.counts.transport_errors, 0);
}

TEST(LoadRun, Refused_NobodyListens_SaysWhere) {
  std::uint16_t port = 0;
  {
    Result<ListeningSocket> socket = Listen("127.0.0.1", 0);
    ASSERT_TRUE(socket.ok());
    port = socket->port;
  }
  const LoadResult result = Measure(OpenLoop(port, 100, 1));
  EXPECT_EQ(result.end, LoadEnd::kNotConnected);
  EXPECT_NE(result.failure.find(std::to_string(port)), std::string::npos);
  EXPECT_NE(result.failure.find("refused"), std::string::npos) << result.failure;
  EXPECT_EQ(result.counts.offered, 0);
}

TEST(LoadRun, Silent_ServerSendsNoSettings_SaysSo) {
  Result<ListeningSocket> socket = Listen("127.0.0.1", 0);  // the backlog accepts
  ASSERT_TRUE(socket.ok());
  LoadOptions options = OpenLoop(socket->port, 100, 1);
  options.connect_timeout_s = 0.2;
  const LoadResult result = Measure(std::move(options));
  EXPECT_EQ(result.end, LoadEnd::kNotConnected);
  EXPECT_NE(result.failure.find("sends no HTTP/2 SETTINGS"), std::string::npos) << result.failure;
}

TEST(LoadRun, Garbage_ServerSpeaksAnotherProtocol_SaysSo) {
  Result<ListeningSocket> socket = Listen("127.0.0.1", 0);
  ASSERT_TRUE(socket.ok());
  ASSERT_EQ(fcntl(socket->fd.get(), F_SETFL, 0), 0);  // blocking
  std::thread server = StartThread("garbage", 0, [&socket] {
    const UniqueFd peer(accept(socket->fd.get(), nullptr, nullptr));
    const std::string_view text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
    char byte = 0;
    while (recv(peer.get(), &byte, 1, 0) > 0) {
    }
  });
  LoadOptions options = OpenLoop(socket->port, 100, 1);
  options.connections = 1;
  const LoadResult result = Measure(std::move(options));
  server.join();
  EXPECT_EQ(result.end, LoadEnd::kNotConnected);
  EXPECT_NE(result.failure.find("does not speak HTTP/2"), std::string::npos) << result.failure;
}

TEST(LoadRun, Create_BadOptions_NamesTheOption) {
  const auto why = [](const LoadOptions& options) {
    Error error;
    EXPECT_EQ(LoadRun::Create(options, &error), nullptr);
    return error.message;
  };
  LoadOptions options = OpenLoop(1, 100, 1);
  options.segments[0].rate_end = 1e15;
  EXPECT_NE(why(options).find("segment 0"), std::string::npos);
  options = OpenLoop(1, 100, 1);
  options.payloads[0].expected = {"a", "b"};
  EXPECT_NE(why(options).find("payloads[0].expected"), std::string::npos);
  options = OpenLoop(1, 100, 1);
  options.payloads[0].metadata = {{"Upper", "x"}};
  EXPECT_NE(why(options).find("metadata"), std::string::npos);
  options = OpenLoop(1, 100, 1);
  options.payloads[0].source = "here";
  EXPECT_NE(why(options).find("payloads[0].source: 'here'"), std::string::npos);
  options = ClosedLoop(1, 1, 1);
  options.payloads.push_back(TestPayload());
  options.payloads[1].source = "127.0.0.2";
  EXPECT_NE(why(options).find("the same source"), std::string::npos);
  options = OpenLoop(1, 100, 1);
  options.connections = 0;
  EXPECT_NE(why(options).find("connections"), std::string::npos);
  options = OpenLoop(1, 100, 1);
  options.host = "no.such.host.invalid";
  EXPECT_NE(why(options).find("no.such.host.invalid"), std::string::npos);
}

TEST(UnaryCall, GoodServer_ReturnsTheAnswer) {
  TestServer server(Echo);
  const UnaryAnswer answer =
      UnaryCall("127.0.0.1", server.port(), std::string(kTestPath), "hello", 10);
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.message, "hello");
}

TEST(UnaryCall, Failures_AreStatuses) {
  TestServer server([](grpc::Call& call, Buffer) { call.Finish(NotFound("100 % gone")); });
  const UnaryAnswer gone =
      UnaryCall("127.0.0.1", server.port(), std::string(kTestPath), "hello", 10);
  EXPECT_EQ(gone.code, 5);
  EXPECT_EQ(gone.status_message, "100 % gone");
  const UnaryAnswer unknown = UnaryCall("127.0.0.1", server.port(), "/no.Such/Method", "", 10);
  EXPECT_EQ(unknown.code, 12);
  TestServer silent([](grpc::Call&, Buffer) {});
  const UnaryAnswer late = UnaryCall("127.0.0.1", silent.port(), std::string(kTestPath), "", 0.05);
  EXPECT_EQ(late.code, 4);
}

}  // namespace
}  // namespace penstock::load
