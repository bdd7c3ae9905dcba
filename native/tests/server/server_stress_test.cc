// The whole server in one process against clients that misbehave, over loopback sockets: whatever
// they do, every call accepted is finished once, and nothing of it stays. Also how it stops, idle
// and in the midst of it.
//
// PENSTOCK_STRESS_REQUESTS (200000) and PENSTOCK_TEST_SEED are read from the environment.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <iostream>
#include <limits>
#include <thread>

#include <penstock/server.h>

#include "server/stress_client.h"
#include "session/ort_runtime.h"
#include "support/frames.h"
#include "support/infer_messages.h"
#include "support/socket_client.h"
#include "support/test_files.h"

namespace penstock {
namespace {

ModelSource Model(const std::string& name, Execution execution = Execution::kAuto) {
  return {.name = name, .path = TestModelPath(name), .options = {.execution = execution}};
}

std::unique_ptr<Server> MustCreate(const std::vector<ModelSource>& models) {
  ServerOptions options;
  options.grpc_port = 0;
  options.io_threads = 2;
  options.compute_threads = 2;
  options.log_level = LogLevel::kError;
  options.onnxruntime_library = OrtLibraryPath();
  Error error;
  std::unique_ptr<Server> server = Server::Create(options, models, &error);
  EXPECT_NE(server, nullptr) << error.message;
  return server;
}

void ExpectAtRest(const Server& server) {
  const Server::LiveCounts counts = server.live_counts();
  EXPECT_EQ(counts.connections, 0);
  EXPECT_EQ(counts.calls, 0);
  EXPECT_EQ(counts.buffers, 0);
  EXPECT_EQ(counts.accepted, counts.finished);
}

// Bytes of an input: numbers between -1 and 1, or strings of any length with any bytes.
std::string RandomInput(DataType dtype, std::int64_t count, RandomSource& random) {
  std::string bytes;
  const auto append = [&bytes](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
  };
  for (std::int64_t i = 0; i < count; ++i) {
    if (dtype == DataType::kBytes) {
      const std::vector<std::byte> text = random.Bytes(random.Below(40));
      const auto length = static_cast<std::uint32_t>(text.size());
      append(&length, sizeof(length));
      append(text.data(), text.size());
    } else {
      const float value = static_cast<float>(random.Below(2000)) / 1000 - 1;
      append(&value, sizeof(value));
    }
  }
  return bytes;
}

// A request of a model and its answer, straight from the engine.
StressClient::Sample MakeSample(Session& session, const std::string& model,
                                const std::vector<std::int64_t>& shape, RandomSource& random) {
  const TensorSpec& spec = session.inputs()[0];
  std::int64_t count = 1;
  Shape dims;
  for (const std::int64_t dim : shape) {
    count *= dim;
    dims.Append(dim);
  }
  StressClient::Sample sample = {.model = model,
                                 .input = {.name = spec.name,
                                           .datatype = std::string(DataTypeName(spec.dtype)),
                                           .shape = shape,
                                           .bytes = RandomInput(spec.dtype, count, random)}};
  const TensorView input = {
      .dtype = spec.dtype, .shape = dims, .data = std::as_bytes(std::span(sample.input.bytes))};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session.Run({&input, 1});
  CHECK(outputs.ok());
  const std::span<const std::byte> bytes = outputs.value()->tensors()[0].data;
  sample.output.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  // The batch that it ran in decides the order of additions.
  if (model == "mlp") sample.tolerance = 1e-4F;
  return sample;
}

// What the clients of both tests ask.
struct Samples {
  std::vector<StressClient::Sample> small;
  StressClient::Sample large;
};

std::vector<ModelSource> StressModels() {
  return {Model("mlp"), Model("free_inner", Execution::kPool), Model("identity_fp32"),
          Model("identity_bytes", Execution::kPool)};
}

Result<Samples> MakeSamples(RandomSource& random) {
  ASSIGN_OR_RETURN(const std::unique_ptr<OrtRuntime> runtime, OrtRuntime::Open(OrtLibraryPath()));
  Samples samples;
  for (const ModelSource& model : StressModels()) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                     runtime->CreateSession({.model_path = model.path}));
    for (std::int64_t rows = 1; rows <= 4; ++rows) {
      std::vector<std::int64_t> shape = {rows, model.name == "mlp" ? 64 : 3};
      if (model.name == "free_inner") shape = {rows, 7, 2};
      samples.small.push_back(MakeSample(*session, model.name, shape, random));
    }
    if (model.name == "free_inner") {
      samples.large = MakeSample(*session, model.name, {1, 75'264, 2}, random);
    }
  }
  return samples;
}

std::int64_t RequestsInAll() {
  const char* text = std::getenv("PENSTOCK_STRESS_REQUESTS");
  return text != nullptr && *text != '\0' ? std::atoll(text) : 200'000;
}

TEST(ServerStressTest, MisbehavingClients_LeaveNothingBehind) {
  const std::uint64_t seed = RandomSource::Seed(2026);
  SCOPED_TRACE(seed);
  RandomSource random(seed);
  Result<Samples> samples = MakeSamples(random);
  ASSERT_TRUE(samples.ok()) << samples.status().ToString();

  std::unique_ptr<Server> server = MustCreate(StressModels());
  ASSERT_NE(server, nullptr);
  constexpr std::int64_t kClients = 3;
  const std::atomic<bool> stopping = false;
  StressTotals totals;
  {
    std::mutex mu;
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < kClients; ++i) {
      threads.emplace_back([&, i] {
        StressClient client(server->grpc_port(), seed + i, samples->small, samples->large,
                            stopping);
        const StressTotals mine = client.Run(RequestsInAll() / kClients);
        const std::lock_guard<std::mutex> lock(mu);
        totals.Add(mine);
      });
    }
  }
  for (const std::string& wrong : totals.wrong) ADD_FAILURE() << wrong;
  EXPECT_TRUE(WaitFor([&server] {
    const Server::LiveCounts counts = server->live_counts();
    return counts.connections == 0 && counts.calls == 0 && counts.buffers == 0;
  }));
  ExpectAtRest(*server);
  const Server::LiveCounts counts = server->live_counts();
  std::cout << "seed " << seed << ": " << totals.started << " requests, " << totals.good
            << " answered, " << totals.expired << " expired, " << totals.cancelled << " cancelled, "
            << totals.lost << " lost with their connection; " << counts.accepted << " accepted, "
            << counts.finished << " finished\n";
  EXPECT_LE(counts.accepted, totals.started);
  EXPECT_GE(counts.accepted, totals.good + totals.expired);
  EXPECT_GT(totals.good, totals.started / 2) << "the disturbances were meant to be the exception";
  EXPECT_TRUE(server->Stop(std::chrono::seconds(10)));
  ExpectAtRest(*server);
}

// A server's whole life: it loads, is busy, and is told to stop at some moment. Returns what went
// wrong.
std::vector<std::string> LiveOnce(const Samples& samples, RandomSource& random) {
  std::unique_ptr<Server> server = MustCreate(StressModels());
  if (server == nullptr) return {"no server"};
  std::atomic<bool> stopping = false;
  std::vector<StressTotals> totals(2);
  std::vector<std::jthread> clients;
  for (StressTotals& mine : totals) {
    clients.emplace_back([&, seed = random.Below(1 << 30)] {
      StressClient client(server->grpc_port(), seed, samples.small, samples.large, stopping);
      mine = client.Run(std::numeric_limits<std::int64_t>::max());
    });
  }
  const auto busy_calls = static_cast<std::int64_t>(1 + random.Below(1000));
  const bool was_busy = WaitFor([&] { return server->live_counts().finished >= busy_calls; });
  constexpr std::array<int, 3> kDrainMs = {0, 20, 10'000};
  stopping = true;
  server->Stop(std::chrono::milliseconds(kDrainMs[random.Below(kDrainMs.size())]));
  clients.clear();
  ExpectAtRest(*server);
  std::vector<std::string> wrong;
  if (!was_busy) wrong.emplace_back("too few calls finished in thirty seconds");
  for (const StressTotals& mine : totals) {
    wrong.insert(wrong.end(), mine.wrong.begin(), mine.wrong.end());
  }
  return wrong;
}

// One server loads or stops while the other serves, in one process and on one engine.
TEST(ServerStressTest, LoadsAndStopsWhileBusy_LeaveNothingBehind) {
  const std::uint64_t seed = RandomSource::Seed(2027);
  SCOPED_TRACE(seed);
  RandomSource samples_random(seed);
  Result<Samples> samples = MakeSamples(samples_random);
  ASSERT_TRUE(samples.ok()) << samples.status().ToString();
  constexpr int kLives = 10;
  std::vector<std::jthread> servers;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    servers.emplace_back([&samples, seed, i] {
      RandomSource random(seed + i);
      for (int life = 0; life < kLives; ++life) {
        for (const std::string& wrong : LiveOnce(*samples, random)) ADD_FAILURE() << wrong;
      }
    });
  }
}

// A model that takes as long as its input says.
std::string SlowRequest(std::int64_t steps) {
  const std::vector<float> x(4, 0.0F);
  std::string message;
  protozero::pbf_writer request(message);
  request.add_string(1, "loop");
  const auto add_input = [&request](const char* name, const char* dtype,
                                    const std::vector<std::int64_t>& shape) {
    protozero::pbf_writer tensor(request, 5);
    tensor.add_string(1, name);
    tensor.add_string(2, dtype);
    tensor.add_packed_int64(3, shape.begin(), shape.end());
  };
  add_input("count", "INT64", {});
  add_input("x", "FP32", {1, 4});
  request.add_bytes(7, reinterpret_cast<const char*>(&steps), sizeof(steps));
  request.add_bytes(7, reinterpret_cast<const char*>(x.data()), x.size() * sizeof(float));
  return frames::Message(message);
}

class ServerStopTest : public testing::Test {
 protected:
  void SetUp() override {
    server_ = MustCreate({Model("loop"), Model("identity_fp32")});
    ASSERT_NE(server_, nullptr);
    client_ = SocketClient::Connect(server_->grpc_port());
    ASSERT_NE(client_, nullptr);
  }
  // Until the server has accepted `calls`.
  bool Accepted(std::int64_t calls) {
    return client_->PumpUntil([this, calls] { return server_->live_counts().accepted == calls; });
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<SocketClient> client_;
};

TEST_F(ServerStopTest, NoTimeToDrain_CancelsWhatRuns) {
  const std::int32_t running =
      client_->http().Request(GrpcHeaders(kInferPath), SlowRequest(300'000));
  for (int i = 0; i < 5; ++i) {
    client_->http().Request(GrpcHeaders(kInferPath), SlowRequest(300'000));
  }
  client_->http().Begin(GrpcHeaders(kInferPath), "half");
  ASSERT_TRUE(Accepted(7));
  EXPECT_FALSE(server_->Stop(std::chrono::milliseconds(0)));
  ExpectAtRest(*server_);
  EXPECT_TRUE(client_->PumpUntil([this] { return client_->ended(); }));
  EXPECT_FALSE(client_->http().reply(running).ended);
}

TEST_F(ServerStopTest, NothingOpen_StopsAtOnceAndSaysSo) {
  client_.reset();
  ASSERT_TRUE(WaitFor([this] { return server_->live_counts().connections == 0; }));
  EXPECT_TRUE(server_->Stop(std::chrono::seconds(10)));
  ExpectAtRest(*server_);
}

TEST_F(ServerStopTest, IdleConnection_IsClosedByGoaway) {
  ASSERT_TRUE(client_->PumpUntil([this] { return client_->http().settings_acknowledged() == 1; }));
  std::jthread stopping([this] { EXPECT_TRUE(server_->Stop(std::chrono::seconds(10))); });
  EXPECT_TRUE(client_->PumpUntil([this] { return client_->ended(); }));
  EXPECT_GE(client_->http().goaways().size(), 1U);
  EXPECT_EQ(client_->http().goaways().back().error_code, 0U);
}

TEST_F(ServerStopTest, GracefulStop_FinishesWhatWasAccepted) {
  const std::vector<float> x = {1, 2, 3};
  const std::string message =
      frames::Message(EncodeRequest("identity_fp32", "7", {{"x", {1, 3}, x}}));
  const std::int32_t half = client_->http().Begin(GrpcHeaders(kInferPath), message.substr(0, 9));
  const std::int32_t slow = client_->http().Request(GrpcHeaders(kInferPath), SlowRequest(100'000));
  ASSERT_TRUE(Accepted(2));
  std::jthread stopping([this] { EXPECT_TRUE(server_->Stop(std::chrono::seconds(20))); });
  ASSERT_TRUE(client_->PumpUntil([this] { return client_->http().goaways().size() == 2; }));
  EXPECT_EQ(client_->http().goaways().back().last_stream_id, slow);
  EXPECT_EQ(SocketClient::Connect(server_->grpc_port()), nullptr) << "nobody new is let in";
  client_->http().Append(half, message.substr(9));
  client_->http().End(half);
  EXPECT_TRUE(client_->PumpUntil([this] { return client_->ended(); }));
  EXPECT_EQ(client_->http().reply(half).Find("grpc-status"), "0")
      << client_->http().reply(half).Find("grpc-message");
  EXPECT_EQ(client_->http().reply(slow).Find("grpc-status"), "0")
      << client_->http().reply(slow).Find("grpc-message");
  stopping.join();
  ExpectAtRest(*server_);
}

TEST_F(ServerStopTest, DestructorAlone_StopsTheServer) {
  client_->http().Request(GrpcHeaders(kInferPath), SlowRequest(100'000));
  ASSERT_TRUE(Accepted(1));
  server_.reset();
  EXPECT_TRUE(client_->PumpUntil([this] { return client_->ended(); }));
}

}  // namespace
}  // namespace penstock
