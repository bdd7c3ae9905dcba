// What becomes of runs that take too long, with a watchdog that looks when the run says so.
#include "batching/run_watch.h"

#include <gtest/gtest.h>

#include <functional>

#include "batching/batch_runner.h"
#include "support/fake_model.h"
#include "support/test_entry.h"

namespace penstock {
namespace {

TEST(RunLimitTest, IsWhatIsConfiguredOrAHundredTimesWhatIsExpected) {
  EXPECT_EQ(RunLimit(50 * kMillisecond, 0), 50 * kMillisecond);
  EXPECT_EQ(RunLimit(50 * kMillisecond, kSecond), 50 * kMillisecond);
  EXPECT_EQ(RunLimit(0, 1), 10 * kSecond);
  EXPECT_EQ(RunLimit(0, 100 * kMillisecond), 10 * kSecond);
  EXPECT_EQ(RunLimit(0, kSecond), 100 * kSecond);
  EXPECT_EQ(RunLimit(0, 0), kNever) << "nothing is known";
  EXPECT_EQ(RunLimit(0, kNever / 2), kNever);
}

class RunWatchTest : public testing::Test {
 protected:
  // Runs four requests together.
  void Run() {
    entries_.clear();
    std::vector<QueueEntry*> batch;
    for (int i = 0; i < 4; ++i) {
      TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
      entry.AddInput(1, 2, static_cast<float>(i));
      batch.push_back(&entry);
    }
    runner_.Run(queue_, batch);
  }
  // As the watchdog sees a run that takes so long.
  void Take(TimeNs duration) {
    watchdog_.Look();
    clock_.Advance(duration);
    watchdog_.Look();
  }
  void ExpectStatus(StatusCode code) {
    for (const auto& entry : entries_) EXPECT_EQ(entry->result.status.code(), code);
  }

  static constexpr TimeNs kLimit = kSecond;
  ManualClock clock_;
  Logger logger_{{.severity_min = LogSeverity::kError}};
  Watchdog watchdog_{clock_, logger_};
  std::function<Status()> during_ = [] { return Status(); };
  FakeSession session_{{FloatSpec("x", {-1, 2})},
                       {FloatSpec("y", {-1, 2})},
                       [this](std::span<const TensorView> inputs, FakeOutputs& outputs) {
                         outputs.Add(inputs[0].dtype, inputs[0].shape, inputs[0].data);
                         return during_();
                       }};
  BatchQueue queue_{session_, {.model = "slow", .run_timeout = kLimit}};
  BatchRunner runner_{clock_, watchdog_};
  std::vector<std::unique_ptr<TestEntry>> entries_;
};

TEST_F(RunWatchTest, RunPastItsLimit_IsToldToEndAndFailsWholeInOneRun) {
  during_ = [this] {
    Take(kLimit);
    EXPECT_TRUE(session_.stop()->asked());
    return Internal("the engine looked up");
  };
  Run();
  ExpectStatus(StatusCode::kInternal);
  EXPECT_NE(entries_[0]->result.status.message().find("run_timeout_ms"), std::string_view::npos);
  EXPECT_EQ(session_.runs(), 1) << "it is not run again in halves";
  EXPECT_EQ(queue_.terminated(), 1);

  during_ = [] { return Status(); };
  Run();
  ExpectStatus(StatusCode::kOk);
  EXPECT_EQ(session_.runs(), 2);
}

// Whose call it was may ask for the count as soon as it is answered.
TEST_F(RunWatchTest, RunPastItsLimit_IsCountedBeforeItIsToldToEnd) {
  std::int64_t counted = 0;
  session_.set_on_terminate([this, &counted] { counted = queue_.terminated(); });
  during_ = [this] {
    Take(kLimit);
    return Internal("the engine looked up");
  };
  Run();
  EXPECT_EQ(counted, 1);
}

TEST_F(RunWatchTest, RunWithinItsLimit_IsLeftAlone) {
  during_ = [this] {
    Take(kLimit - 1);
    EXPECT_FALSE(session_.stop()->asked());
    return Status();
  };
  for (int i = 0; i < 3; ++i) Run();
  ExpectStatus(StatusCode::kOk);
  EXPECT_EQ(queue_.terminated(), 0);
}

TEST_F(RunWatchTest, RunToldTooLate_CostsTheNextOneNothing) {
  during_ = [this] {
    Take(kLimit);
    return Status();  // it ended all the same
  };
  Run();
  ExpectStatus(StatusCode::kOk);
  during_ = [] { return Status(); };
  Run();
  ExpectStatus(StatusCode::kOk);
  EXPECT_EQ(session_.runs(), 3) << "the second was struck by mistake and run once more";
}

TEST_F(RunWatchTest, RunThatFailsByItself_KeepsItsOwnWords) {
  during_ = [this] {
    Take(kLimit - 1);
    return InvalidArgument("bad row");
  };
  Run();
  ExpectStatus(StatusCode::kInvalidArgument);
}

TEST_F(RunWatchTest, LongRun_IsToldOnce) {
  during_ = [this] {
    for (int i = 0; i < 5; ++i) Take(kLimit);
    return Internal("at last");
  };
  Run();
  EXPECT_EQ(queue_.terminated(), 1);
}

TEST_F(RunWatchTest, EndRuns_EndsAtTheFirstLookWhateverTheLimit) {
  queue_.EndRuns();
  during_ = [this] {
    watchdog_.Look();
    EXPECT_TRUE(session_.stop()->asked());
    return Internal("the engine looked up");
  };
  Run();
  ExpectStatus(StatusCode::kInternal);
  EXPECT_EQ(queue_.terminated(), 0) << "that is no fault of the model";
}

}  // namespace
}  // namespace penstock
