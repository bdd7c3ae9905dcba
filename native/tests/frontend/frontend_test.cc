// The frontend on real sockets, with a service that answers as many bytes as it is asked for.
#include "frontend/frontend.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <charconv>
#include <string>
#include <thread>

#include "net/socket.h"
#include "support/fake_method.h"
#include "support/frames.h"
#include "support/socket_client.h"

namespace penstock::frontend {
namespace {

constexpr char kPath[] = "/test.Service/Give";

// "n": a reply of n bytes, borrowed as a batch's outputs would be. Counts the owners alive.
class GiveMethod final : public grpc::Method {
 public:
  explicit GiveMethod(std::atomic<int>& owners) : owners_(owners) {}
  void OnMessage(grpc::Call& call, Buffer message) override {
    const auto* text = reinterpret_cast<const char*>(message.data());
    std::size_t size = 0;
    std::from_chars(text, text + message.size(), size);
    ++owners_;
    const std::shared_ptr<std::vector<std::byte>> owner(
        new std::vector<std::byte>(size, std::byte{'x'}), [this](std::vector<std::byte>* bytes) {
          delete bytes;
          --owners_;
        });
    call.BeginMessage(size).AppendBorrowed(*owner, owner);
    call.Finish({});
  }
  void OnCancel(grpc::Call& call) override { call.Release(); }

 private:
  std::atomic<int>& owners_;
};

class GiveService final : public Service {
 public:
  explicit GiveService(std::atomic<int>& owners) : method_(owners) {}
  void AddMethods(grpc::Router& router) override { router.Add(kPath, method_); }

 private:
  GiveMethod method_;
};

class FrontendTest : public testing::Test {
 protected:
  void Start(const FrontendOptions& options = {}) {
    std::array<int, 2> fds;
    ASSERT_EQ(pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK), 0);
    log_read_ = UniqueFd(fds[0]);
    log_write_ = UniqueFd(fds[1]);
    logger_ = std::make_unique<Logger>(Logger::Options{.fd = log_write_.get()});
    Result<std::unique_ptr<Frontend>> frontend =
        Frontend::Create(options, clock_, *logger_,
                         [this](LoopResources&) { return std::make_unique<GiveService>(owners_); });
    ASSERT_TRUE(frontend.ok()) << frontend.status().ToString();
    frontend_ = std::move(frontend).value();
    frontend_->Start();
  }
  void TearDown() override {
    EXPECT_TRUE(WaitFor([this] { return frontend_->live_connections() == 0; }));
    EXPECT_EQ(frontend_->live_calls(), 0);
    EXPECT_EQ(frontend_->live_buffers(), 0);
    EXPECT_EQ(owners_.load(), 0);
    using metrics::Counter;
    EXPECT_EQ(frontend_->Count(Counter::kConnectionsOpened),
              frontend_->Count(Counter::kConnectionsClosed));
    EXPECT_EQ(frontend_->Count(Counter::kCallsAccepted), frontend_->Count(Counter::kCallsFinished));
  }
  std::unique_ptr<SocketClient> Connect(const Http2Client::Options& options = {}) {
    std::unique_ptr<SocketClient> client = SocketClient::Connect(frontend_->port(), options);
    EXPECT_NE(client, nullptr);
    return client;
  }
  static std::int32_t Ask(SocketClient& client, std::size_t size) {
    return client.http().Request(GrpcHeaders(kPath), frames::Message(std::to_string(size)));
  }
  static bool IsAnswered(SocketClient& client, std::int32_t id, std::size_t size) {
    return client.PumpUntil([&client, id] { return client.http().reply(id).closed; }) &&
           client.http().reply(id).body == frames::Message(std::string(size, 'x'));
  }
  std::string LogText() {
    std::array<char, 4096> text;
    const ssize_t n = read(log_read_.get(), text.data(), text.size());
    return n > 0 ? std::string(text.data(), static_cast<std::size_t>(n)) : "";
  }

  const SteadyClock clock_;
  UniqueFd log_read_, log_write_;
  std::unique_ptr<Logger> logger_;
  std::atomic<int> owners_ = 0;
  std::unique_ptr<Frontend> frontend_;
};

constexpr Http2Client::Options kWide = {.initial_window = 1 << 30, .auto_window = false};

TEST_F(FrontendTest, ManyConnections_AreAllServed) {
  Start({.io_threads = 2});
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(Connect());
  for (const auto& client : clients) EXPECT_TRUE(IsAnswered(*client, Ask(*client, 1000), 1000));
  EXPECT_EQ(frontend_->live_connections(), 40);
}

TEST_F(FrontendTest, OneConnectionTooMany_IsClosed) {
  Start({.connections_max = 2});
  const auto a = Connect();
  const auto b = Connect();
  EXPECT_TRUE(IsAnswered(*a, Ask(*a, 1), 1));
  EXPECT_TRUE(IsAnswered(*b, Ask(*b, 1), 1));
  const auto c = Connect();
  EXPECT_TRUE(c->PumpUntil([&c] { return c->ended(); }));
  EXPECT_TRUE(IsAnswered(*a, Ask(*a, 1), 1));
}

TEST_F(FrontendTest, SlowReaderOfALargeReply_HoldsBackNobody) {
  Start();
  constexpr std::size_t kLarge = 30'000'000;
  const auto slow = Connect(kWide);
  const auto other = Connect();
  const std::int32_t large = Ask(*slow, kLarge);
  // Asked, and from here nothing is read.
  ASSERT_TRUE(
      slow->PumpUntil([&] { return frontend_->Count(metrics::Counter::kCallsFinished) == 1; }));
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(IsAnswered(*other, Ask(*other, 5000), 5000));
  }
  EXPECT_FALSE(slow->http().reply(large).closed);
  EXPECT_TRUE(IsAnswered(*slow, large, kLarge));
}

// The batch's memory is given back although its reader is slow: what waits is a copy.
TEST_F(FrontendTest, ReaderThatStops_IsClosedAfterTheStall) {
  Start({.call_limits = {.write_stall_timeout = 1200 * kMillisecond}});
  const auto stalled = Connect(kWide);
  const auto other = Connect();
  Ask(*stalled, 30'000'000);
  ASSERT_TRUE(
      stalled->PumpUntil([&] { return frontend_->Count(metrics::Counter::kCallsFinished) == 1; }));
  EXPECT_TRUE(
      WaitFor([this] { return frontend_->Count(metrics::Counter::kConnectionsClosed) == 1; }));
  EXPECT_EQ(owners_.load(), 0);
  EXPECT_TRUE(IsAnswered(*other, Ask(*other, 10), 10));
}

TEST_F(FrontendTest, NoHandshake_IsClosedAfterTheHeaderTimeout) {
  Start({.call_limits = {.header_timeout = 200 * kMillisecond}});
  const auto other = Connect();
  EXPECT_TRUE(IsAnswered(*other, Ask(*other, 10), 10));
  UniqueFd silent = SocketClient::NewSocket();
  const auto client = SocketClient::Connect(std::move(silent), frontend_->port());
  // Not pumped: it says nothing.
  EXPECT_TRUE(
      WaitFor([this] { return frontend_->Count(metrics::Counter::kConnectionsOpened) == 2; }));
  std::array<char, 1000> bytes;
  EXPECT_TRUE(WaitFor([&] { return recv(client->fd(), bytes.data(), bytes.size(), 0) == 0; }))
      << "the end of the connection";
}

// Uses up every descriptor that the process may have, whatever gaps its table has, and gives them
// back.
class DescriptorLimit final {
 public:
  DescriptorLimit() { getrlimit(RLIMIT_NOFILE, &before_); }
  ~DescriptorLimit() { Restore(); }
  // errno of the attempt that failed: EMFILE where the system counts as it should.
  int Exhaust(int fd) {
    rlimit few = before_;
    few.rlim_cur = kDescriptors;
    if (setrlimit(RLIMIT_NOFILE, &few) != 0) return errno;
    for (rlim_t i = 0; i <= kDescriptors; ++i) {
      UniqueFd taken(dup(fd));
      if (!taken.valid()) return errno;
      taken_.push_back(std::move(taken));
    }
    return 0;
  }
  void Restore() {
    taken_.clear();
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  static constexpr rlim_t kDescriptors = 200;
  rlimit before_{};
  std::vector<UniqueFd> taken_;
};

// Nothing where a connection that cannot be accepted for want of a descriptor waits for the next
// accept, as Linux has it; else what this system does instead.
std::string FindStrangeAccept() {
  const Result<ListeningSocket> listening = Listen("127.0.0.1", 0);
  if (!listening.ok()) return "it cannot listen: " + listening.status().ToString();
  UniqueFd socket = SocketClient::NewSocket();
  DescriptorLimit limit;
  const int listening_fd = listening.value().fd.get();
  if (const int error = limit.Exhaust(listening_fd); error != EMFILE) {
    return "it hands out descriptors beyond RLIMIT_NOFILE, errno " + std::to_string(error);
  }
  const auto client = SocketClient::Connect(std::move(socket), listening.value().port);
  if (client == nullptr) return "nobody can connect while there is no descriptor";
  pollfd ready = {.fd = listening_fd, .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 30'000) != 1) return "the connection does not arrive";
  if (Accept(listening_fd).outcome != AcceptOutcome::kOutOfResources) {
    return "accept does not fail without a descriptor";
  }
  limit.Restore();
  if (Accept(listening_fd).outcome != AcceptOutcome::kAccepted) {
    return "the connection that could not be accepted is lost";
  }
  return "";
}

TEST_F(FrontendTest, NoDescriptorsLeft_IsSurvived) {
  Start();
#ifdef __SANITIZE_ADDRESS__
  // UBSan, which comes with it here, opens a pipe to see whether an object's memory can be read.
  // Without a descriptor it takes every object for a wrong one.
  GTEST_SKIP() << "UBSan needs descriptors of its own";
#endif
  if (const std::string strange = FindStrangeAccept(); !strange.empty()) {
    GTEST_SKIP() << "this system is no Linux in this: " << strange;
  }
  const auto first = Connect();
  ASSERT_TRUE(IsAnswered(*first, Ask(*first, 10), 10));
  std::vector<UniqueFd> sockets;
  for (int i = 0; i < 5; ++i) sockets.push_back(SocketClient::NewSocket());
  DescriptorLimit limit;
  ASSERT_EQ(limit.Exhaust(first->fd()), EMFILE);
  std::vector<std::unique_ptr<SocketClient>> waiting;
  for (UniqueFd& socket : sockets) {
    waiting.push_back(SocketClient::Connect(std::move(socket), frontend_->port()));
    ASSERT_NE(waiting.back(), nullptr) << "the system lets them wait";
  }
  std::string log;
  EXPECT_TRUE(WaitFor([&] {
    return (log += LogText()).find("no descriptor") != std::string::npos;
  })) << log;
  EXPECT_TRUE(IsAnswered(*first, Ask(*first, 1000), 1000)) << "who is in is served";
  limit.Restore();
  for (const auto& client : waiting) EXPECT_TRUE(IsAnswered(*client, Ask(*client, 10), 10));
  EXPECT_TRUE(WaitFor([&] {
    return (log += LogText()).find("accepted again") != std::string::npos;
  })) << log;
}

// Connections that are on their way from the acceptor to their loop when everything ends.
TEST_F(FrontendTest, EndWhileConnectionsArrive_LosesNone) {
  for (int round = 0; round < 30; ++round) {
    Start({.io_threads = 2});
    const std::uint16_t port = frontend_->port();
    std::vector<std::jthread> clients;
    for (int i = 0; i < 2; ++i) {
      clients.emplace_back([port] {
        std::vector<std::unique_ptr<SocketClient>> open;
        for (int n = 0; n < 30; ++n) open.push_back(SocketClient::Connect(port));
      });
    }
    if (round % 2 == 0) frontend_->BeginDrain();
    frontend_->Join();
    clients.clear();
    frontend_.reset();
  }
  Start();  // for TearDown
}

}  // namespace
}  // namespace penstock::frontend
