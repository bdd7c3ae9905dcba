// The warm-up's verdicts on real models: one of each kind that is not a plain batch, and its words.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/clock.h"
#include "model/warmup.h"
#include "session/ort_runtime.h"
#include "support/test_files.h"

namespace penstock {
namespace {

struct Verdict {
  bool batchable = false;
  std::string reason;  // a part of it
  std::string note;
};

class RealModels : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<OrtRuntime>> runtime = OrtRuntime::Open(OrtLibraryPath());
    ASSERT_TRUE(runtime.ok()) << runtime.status().ToString();
    runtime_ = std::move(runtime).value();
  }
  WarmupReport Report(const std::string& name) {
    Result<std::unique_ptr<Session>> session =
        runtime_->CreateSession({.model_path = TestModelPath(name)});
    CHECK(session.ok() || (ADD_FAILURE() << session.status().ToString(), false));
    // Few rows: what counts here is the probe.
    Result<WarmupReport> report = WarmUp(*session.value(), {.max_batch_size = 2}, clock_);
    CHECK(report.ok());
    return std::move(report).value();
  }

  const SteadyClock clock_;
  std::unique_ptr<OrtRuntime> runtime_;
};

TEST_F(RealModels, EveryKind_GetsItsVerdictAndReason) {
  const std::string smaller = "probed with floats from 0 to 1 and integers 0 and 1 because";
  const std::map<std::string, Verdict> expected = {
      {"mlp", {true, "", ""}},
      {"free_inner", {true, "", ""}},
      {"wrong_output_shape", {true, "", ""}},
      {"lying_batch", {true, "", ""}},
      {"gather", {true, "", ""}},
      {"gather_two", {true, "", smaller}},
      {"gather_one", {false, "a run of 3 rows fails: ", ""}},
      {"zipmap_string", {true, "", ""}},
      {"sequence_of_rows", {true, "", ""}},
      {"sequence", {false, "output 'y' has shape [1,3,4] for 3 rows", ""}},
      {"fixed_batch",
       {false, "input 'x' has the shape [1,4], its first dimension is not free", ""}},
      {"loop", {false, "input 'count' is a scalar, which has no rows", ""}},
      {"time_major", {false, "row 1 of output 'y' differs between a run alone and a run of 3", ""}},
      {"centered", {false, "row 0 of output 'y' differs between a run alone and a run of 3", ""}},
      {"reduce_rows", {false, "output 'y' has shape [1,4] for 3 rows", ""}},
      {"scalar_output", {false, "output 'y' has shape [] for 3 rows", ""}},
      {"hidden_one_row", {false, "a run of 3 rows fails: ", ""}},
  };
  for (const auto& [name, verdict] : expected) {
    SCOPED_TRACE(name);
    const WarmupReport report = Report(name);
    EXPECT_EQ(report.batchable, verdict.batchable) << report.batchable_reason;
    EXPECT_NE(report.batchable_reason.find(verdict.reason), std::string::npos)
        << report.batchable_reason;
    EXPECT_NE(report.probe_note.find(verdict.note), std::string::npos) << report.probe_note;
    EXPECT_EQ(report.batchable_reason.empty(), verdict.reason.empty()) << report.batchable_reason;
    EXPECT_EQ(report.probe_note.empty(), verdict.note.empty()) << report.probe_note;
    EXPECT_FALSE(report.durations.empty());
  }
}

TEST_F(RealModels, OutputsThatLie_AreServedAsTheyAre) {
  EXPECT_EQ(Report("mlp").outputs[0].shape, (Shape{-1, 10}));
  EXPECT_EQ(Report("lying_batch").outputs[0].shape, (Shape{-1, 4}));
  EXPECT_EQ(Report("reduce_rows").outputs[0].shape, (Shape{1, 4}));
  EXPECT_EQ(Report("hidden_one_row").outputs[0].shape, (Shape{1, 4}));
  EXPECT_EQ(Report("scalar_output").outputs[0].shape, Shape{});
  // A stack of tensors that are declared without a rank.
  EXPECT_EQ(Report("sequence").outputs[0].shape, (Shape{-1, -1, -1}));
}

}  // namespace
}  // namespace penstock
