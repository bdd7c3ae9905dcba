// The whole server in one process against clients that misbehave, over loopback sockets: whatever
// they do, every call accepted is finished once, and nothing of it stays. Also how it stops.
//
// PENSTOCK_STRESS_REQUESTS (200000) and PENSTOCK_TEST_SEED are read from the environment.
#include <gtest/gtest.h>

#include <iostream>
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

// One row of a model and its answer, straight from the engine.
StressClient::Sample MakeSample(Session& session, const std::string& model,
                                const std::vector<std::int64_t>& shape, RandomSource& random) {
  StressClient::Sample sample = {
      .model = model, .input_name = session.inputs()[0].name, .shape = shape};
  std::int64_t count = 1;
  Shape dims;
  for (const std::int64_t dim : shape) {
    count *= dim;
    dims.Append(dim);
  }
  for (std::int64_t i = 0; i < count; ++i) {
    sample.input.push_back(static_cast<float>(random.Below(2000)) / 1000 - 1);
  }
  const TensorView input = {
      .dtype = DataType::kFp32, .shape = dims, .data = std::as_bytes(std::span(sample.input))};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session.Run({&input, 1});
  CHECK(outputs.ok());
  const std::span<const std::byte> bytes = outputs.value()->tensors()[0].data;
  sample.output.resize(bytes.size() / sizeof(float));
  std::memcpy(sample.output.data(), bytes.data(), bytes.size());
  return sample;
}

std::int64_t RequestsInAll() {
  const char* text = std::getenv("PENSTOCK_STRESS_REQUESTS");
  return text != nullptr && *text != '\0' ? std::atoll(text) : 200'000;
}

TEST(ServerStressTest, MisbehavingClients_LeaveNothingBehind) {
  const std::uint64_t seed = RandomSource::Seed(2026);
  SCOPED_TRACE(seed);
  Result<std::unique_ptr<OrtRuntime>> runtime = OrtRuntime::Open(OrtLibraryPath());
  ASSERT_TRUE(runtime.ok()) << runtime.status().ToString();
  RandomSource random(seed);
  std::vector<StressClient::Sample> small;
  StressClient::Sample large;
  for (const std::string name : {"mlp", "free_inner", "identity_fp32"}) {
    Result<std::unique_ptr<Session>> session =
        (*runtime)->CreateSession({.model_path = TestModelPath(name)});
    ASSERT_TRUE(session.ok()) << session.status().ToString();
    for (std::int64_t rows = 1; rows <= 4; ++rows) {
      std::vector<std::int64_t> shape = {rows, name == "mlp" ? 64 : 3};
      if (name == "free_inner") shape = {rows, 7, 2};
      small.push_back(MakeSample(**session, name, shape, random));
      // The batch that it ran in decides the order of additions.
      if (name == "mlp") small.back().tolerance = 1e-4F;
    }
    if (name == "free_inner") large = MakeSample(**session, name, {1, 75'264, 2}, random);
  }

  std::unique_ptr<Server> server =
      MustCreate({Model("mlp"), Model("free_inner", Execution::kPool), Model("identity_fp32")});
  ASSERT_NE(server, nullptr);
  constexpr std::int64_t kClients = 3;
  StressTotals totals;
  {
    std::mutex mu;
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < kClients; ++i) {
      threads.emplace_back([&, i] {
        StressClient client(server->grpc_port(), seed + i, small, large);
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
