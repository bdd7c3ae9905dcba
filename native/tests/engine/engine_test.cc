// The in-process engine against ONNX Runtime itself: what its calls answer, how they end, and that
// nothing of them stays, whatever threads do to it at once.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <penstock/engine.h>

#include "support/random_source.h"
#include "support/test_files.h"
#include "support/wait_for.h"

namespace penstock {
namespace {

constexpr int kOk = 0;
constexpr int kCancelled = 1;
constexpr int kInvalidArgument = 3;
constexpr int kDeadlineExceeded = 4;
constexpr int kNotFound = 5;
constexpr int kResourceExhausted = 8;
constexpr int kUnavailable = 14;
constexpr std::chrono::seconds kPatience{30};

ModelSource Model(const std::string& name, const ModelOptions& options = {}) {
  return {.name = name, .path = TestModelPath(name), .options = options};
}

std::unique_ptr<Engine> MustCreate(const std::vector<ModelSource>& models) {
  ServerOptions options;
  options.compute_threads = 2;
  options.log_level = LogLevel::kError;
  options.onnxruntime_library = OrtLibraryPath();
  Error error;
  std::unique_ptr<Engine> engine = Engine::Create(options, models, &error);
  EXPECT_NE(engine, nullptr) << error.message;
  return engine;
}

// A request of one FP32 input `x`, and the memory under it.
class Asking final {
 public:
  Asking(std::string model, std::vector<std::int64_t> shape, float first)
      : model_(std::move(model)), shape_(std::move(shape)) {
    std::int64_t count = 1;
    for (const std::int64_t dim : shape_) count *= dim;
    for (std::int64_t i = 0; i < count; ++i) {
      values_.push_back(first + static_cast<float>(i % 97) / 97);
    }
  }
  void Fill(EngineCall& call) const {
    call.request().model = model_;
    call.request().inputs = {{.name = "x",
                              .datatype = "FP32",
                              .shape = shape_,
                              .data = std::as_bytes(std::span(values_))}};
  }
  // The identity model's answer.
  void ExpectEcho(const EngineCall& call) const {
    ASSERT_EQ(call.results().size(), 1U);
    const EngineTensor& result = call.results()[0];
    EXPECT_EQ(result.datatype, "FP32");
    EXPECT_TRUE(std::ranges::equal(result.shape, shape_));
    ASSERT_EQ(result.data.size(), values_.size() * sizeof(float));
    EXPECT_EQ(std::memcmp(result.data.data(), values_.data(), result.data.size()), 0);
  }

 private:
  const std::string model_;
  const std::vector<std::int64_t> shape_;
  std::vector<float> values_;
};

// As a blocking caller does it.
void RunToEnd(EngineCall& call) {
  if (!call.Begin()) return;
  if (call.brief()) {
    call.Run();
    return;
  }
  if (call.TryRun()) return;
  call.Enqueue();
  while (!call.Wait(kPatience)) {
  }
}

// A model that takes as long as its input says.
class Slow final {
 public:
  explicit Slow(std::int64_t steps) : steps_(steps) {}
  void Fill(EngineCall& call) const {
    call.request().model = "loop";
    call.request().inputs = {
        {.name = "count",
         .datatype = "INT64",
         .shape = {},
         .data = std::as_bytes(std::span(&steps_, 1))},
        {.name = "x", .datatype = "FP32", .shape = shape_, .data = std::as_bytes(std::span(x_))}};
  }

 private:
  const std::int64_t steps_;
  const std::array<std::int64_t, 2> shape_ = {1, 4};
  const std::array<float, 4> x_ = {};
};

TEST(EngineTest, EveryWayToRun_GivesTheSameAnswer) {
  const std::unique_ptr<Engine> engine = MustCreate({Model("identity_fp32")});
  ASSERT_NE(engine, nullptr);
  const Asking asking("identity_fp32", {2, 3}, 1);
  EngineCall call(*engine);

  asking.Fill(call);
  ASSERT_TRUE(call.Begin());
  call.Run();
  asking.ExpectEcho(call);
  call.Reset();

  asking.Fill(call);
  ASSERT_TRUE(call.Begin());
  ASSERT_TRUE(call.TryRun());
  asking.ExpectEcho(call);
  call.Reset();

  asking.Fill(call);
  ASSERT_TRUE(call.Begin());
  call.Enqueue();
  ASSERT_TRUE(call.Wait(kPatience));
  asking.ExpectEcho(call);
  call.Reset();

  EngineFinished finished(*engine);
  asking.Fill(call);
  ASSERT_TRUE(call.Begin());
  call.Submit();
  ASSERT_EQ(finished.Next(), std::vector<EngineCall*>{&call});
  asking.ExpectEcho(call);
  EXPECT_EQ(engine->live_calls(), 1);
  call.Reset();
  EXPECT_EQ(engine->live_calls(), 0);
}

TEST(EngineTest, WrongRequest_IsRefusedInTheServersWords) {
  const std::unique_ptr<Engine> engine = MustCreate({Model("mlp")});
  ASSERT_NE(engine, nullptr);
  EngineCall call(*engine);
  const Asking nobody("none", {1, 64}, 0);
  nobody.Fill(call);
  EXPECT_FALSE(call.Begin());
  EXPECT_EQ(call.code(), kNotFound);
  call.Reset();
  const Asking narrow("mlp", {1, 63}, 0);
  narrow.Fill(call);
  EXPECT_FALSE(call.Begin());
  EXPECT_EQ(call.code(), kInvalidArgument);
  EXPECT_EQ(call.message(), "input 'x': shape [1,63], the model takes [-1,64]");
  call.Reset();
  EXPECT_EQ(engine->live_calls(), 0);
}

TEST(EngineTest, Memory_OutlivesCallAndEngine) {
  std::unique_ptr<Engine> engine = MustCreate({Model("identity_fp32")});
  ASSERT_NE(engine, nullptr);
  const Asking asking("identity_fp32", {1, 3}, 5);
  auto call = std::make_unique<EngineCall>(*engine);
  asking.Fill(*call);
  RunToEnd(*call);
  const std::shared_ptr<const void> kept = engine->keep_alive();
  const std::shared_ptr<const void> memory = call->memory();
  const std::span<const std::byte> data = call->results()[0].data;
  call.reset();
  engine.reset();
  float first = 0;
  std::memcpy(&first, data.data(), sizeof(first));
  EXPECT_EQ(first, 5);
}

TEST(EngineTest, FullQueue_RefusesAndCancelledCallLeavesIt) {
  const std::unique_ptr<Engine> engine =
      MustCreate({Model("loop", {.instance_count = 1, .max_queue_size = 1})});
  ASSERT_NE(engine, nullptr);
  EngineFinished finished(*engine);
  const Slow slow(2'000'000);
  EngineCall running(*engine);
  slow.Fill(running);
  ASSERT_TRUE(running.Begin());
  std::jthread runner([&running] {
    while (!running.TryRun()) {
    }
  });
  // Until it occupies the only instance, another could still run at once: but not all the time, or
  // on one core it would hardly ever find that free.
  EngineCall waiting(*engine);
  const Slow quick(1);
  ASSERT_TRUE(WaitFor([&waiting, &quick] {
    quick.Fill(waiting);
    EXPECT_TRUE(waiting.Begin());
    if (!waiting.TryRun()) return true;
    waiting.Reset();
    return false;
  }));
  waiting.Submit();
  EngineCall refused(*engine);
  quick.Fill(refused);
  ASSERT_TRUE(refused.Begin());
  refused.Enqueue();
  ASSERT_TRUE(refused.Wait(kPatience));
  EXPECT_EQ(refused.code(), kResourceExhausted);
  waiting.Cancel();
  ASSERT_EQ(finished.Next(), std::vector<EngineCall*>{&waiting});
  EXPECT_EQ(waiting.code(), kCancelled);
  waiting.Reset();

  quick.Fill(waiting);
  waiting.request().timeout = std::chrono::microseconds(1);
  ASSERT_TRUE(waiting.Begin());
  waiting.Enqueue();
  while (!waiting.Wait(kPatience)) {
  }
  // At its deadline, or before where it is seen that it cannot be in time.
  EXPECT_TRUE(waiting.code() == kDeadlineExceeded || waiting.code() == kResourceExhausted)
      << waiting.code() << " " << waiting.message();
  waiting.Reset();
  refused.Reset();
  std::jthread stopper([&engine] { EXPECT_FALSE(engine->Stop(std::chrono::milliseconds(0))); });
  runner.join();
  EXPECT_NE(running.code(), kOk);
  running.Reset();
}

// What one thread saw.
struct Totals {
  std::atomic<std::int64_t> good = 0;
  std::atomic<std::int64_t> ended = 0;  // by cancellation, deadline or stop
};

void ExpectEnd(const EngineCall& call, const Asking& asking, Totals& totals) {
  if (call.ok()) {
    asking.ExpectEcho(call);
    ++totals.good;
    return;
  }
  // RESOURCE_EXHAUSTED: what cannot be in time is refused before it waits.
  EXPECT_TRUE(call.code() == kCancelled || call.code() == kDeadlineExceeded ||
              call.code() == kResourceExhausted || call.code() == kUnavailable)
      << call.code() << " " << call.message();
  ++totals.ended;
}

void Stress(const Engine& engine, std::uint64_t seed, int calls, Totals& totals) {
  RandomSource random(seed);
  EngineCall call(engine);
  for (int i = 0; i < calls; ++i) {
    const Asking asking("identity_fp32", {1 + static_cast<std::int64_t>(random.Below(4)), 3},
                        static_cast<float>(random.Below(1000)));
    asking.Fill(call);
    if (random.Below(8) == 0) call.request().timeout = std::chrono::microseconds(20);
    if (!call.Begin()) {
      EXPECT_EQ(call.code(), kUnavailable);
    } else if (random.Below(3) == 0) {
      // From another thread, at any moment of the wait.
      call.Enqueue();
      std::jthread canceller([&call] { call.Cancel(); });
      while (!call.Wait(kPatience)) {
      }
      canceller.join();
      ExpectEnd(call, asking, totals);
    } else {
      if (!call.TryRun()) {
        call.Enqueue();
        while (!call.Wait(kPatience)) {
        }
      }
      ExpectEnd(call, asking, totals);
    }
    call.Reset();
  }
}

// Submits calls and collects them, cancelling some.
void StressSubmitted(const Engine& engine, std::uint64_t seed, int calls, Totals& totals) {
  RandomSource random(seed);
  EngineFinished finished(engine);
  constexpr std::size_t kTogether = 16;
  const Asking asking("identity_fp32", {1, 3}, 7);
  for (int done = 0; done < calls; done += static_cast<int>(kTogether)) {
    std::vector<std::unique_ptr<EngineCall>> submitted;
    for (std::size_t i = 0; i < kTogether; ++i) {
      auto call = std::make_unique<EngineCall>(engine);
      asking.Fill(*call);
      if (!call->Begin()) break;  // stopped: what was submitted before still ends
      call->Submit();
      submitted.push_back(std::move(call));
    }
    for (const std::unique_ptr<EngineCall>& call : submitted) {
      if (random.Below(2) == 0) call->Cancel();
    }
    for (std::size_t collected = 0; collected < submitted.size();) {
      for (EngineCall* call : finished.Next()) {
        ExpectEnd(*call, asking, totals);
        ++collected;
      }
    }
    if (submitted.size() < kTogether) return;
  }
}

// PENSTOCK_ENGINE_STRESS_CALLS (2000, of each thread) and PENSTOCK_TEST_SEED are read from the
// environment.
TEST(EngineStressTest, LoadInferCancelStopAtOnce_LeaveNothingBehind) {
  const std::uint64_t seed = RandomSource::Seed(2026);
  SCOPED_TRACE(seed);
  const char* text = std::getenv("PENSTOCK_ENGINE_STRESS_CALLS");
  const int calls = text != nullptr ? std::atoi(text) : 2'000;
  Totals totals;
  for (std::uint64_t round = 0; round < 2; ++round) {
    // The second round stops the engine under its callers.
    const std::unique_ptr<Engine> engine =
        MustCreate({Model("identity_fp32", {.instance_count = 1})});
    ASSERT_NE(engine, nullptr);
    const std::int64_t before = totals.good;
    std::atomic<bool> stop = false;
    std::jthread loading([&stop] {
      while (!stop) {
        const std::unique_ptr<Engine> other = MustCreate({Model("mlp")});
        EngineCall call(*other);
        const Asking asking("mlp", {1, 64}, 0);
        asking.Fill(call);
        RunToEnd(call);
        EXPECT_TRUE(call.ok()) << call.message();
      }
    });
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] { Stress(*engine, seed + 10 * round + i, calls, totals); });
    }
    threads.emplace_back([&] { StressSubmitted(*engine, seed + round, calls, totals); });
    if (round == 1) {
      while (totals.good < before + 1'000) std::this_thread::yield();
      engine->Stop(std::chrono::milliseconds(0));
    }
    threads.clear();
    stop = true;
    EXPECT_EQ(engine->live_calls(), 0);
    EXPECT_EQ(engine->Stop(std::chrono::milliseconds(0)), true);
  }
  std::cout << "seed " << seed << ": " << totals.good << " answered, " << totals.ended
            << " cancelled, expired or stopped\n";
  EXPECT_GT(totals.good, 0);
}

}  // namespace
}  // namespace penstock
