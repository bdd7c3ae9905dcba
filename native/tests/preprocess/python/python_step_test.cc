// The core's side of a Python step: a thread of the test stands for the one that pulls.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include <penstock/python_step.h>

#include "preprocess/transform.h"

namespace penstock {
namespace {

constexpr std::int64_t kPatientMs = 60'000;

class PythonStepTest : public testing::Test {
 protected:
  ~PythonStepTest() override {
    steps_.Close();
    JoinAll();
  }
  void JoinAll() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  std::shared_ptr<const Transform> Make(std::int64_t timeout_ms) {
    std::string message;
    std::size_t step = 0;
    std::shared_ptr<const Transform> made = steps_.MakeTransform(
        {.inputs = {{"FP32", {2}}}, .outputs = {{"FP32", {-1}}}, .timeout_ms = timeout_ms}, &step,
        &message);
    EXPECT_NE(made, nullptr) << message;
    return made;
  }
  // One row of two values.
  Status Run(const Transform& transform) {
    const TensorView input = {
        .dtype = DataType::kFp32, .shape = {1, 2}, .data = std::as_bytes(std::span(values_))};
    arena_.Clear();
    output_ = {};
    return transform.Run(std::span(&input, 1), 1, arena_, nullptr, std::span(&output_, 1));
  }
  // Does `answer` with each batch that is pulled.
  template <typename Answer>
  void Pull(Answer answer) {
    threads_.emplace_back([this, answer] {
      while (const std::shared_ptr<PythonBatch> batch = steps_.Pull()) answer(*batch);
    });
  }
  // Runs it on another thread, which `status` is of.
  void RunAside(const Transform& transform, Status& status) {
    threads_.emplace_back([this, &transform, &status] { status = Run(transform); });
  }

  const std::vector<float> values_ = {3, 4};
  PythonSteps steps_;
  TensorArena arena_;
  TensorView output_;
  std::vector<std::thread> threads_;
};

// Hands the inputs back, as `datatype`.
bool Echo(PythonBatch& batch, std::string_view datatype, std::string& message) {
  EngineTensor tensor = batch.inputs()[0];
  tensor.datatype = datatype;
  return batch.Finish(std::span(&tensor, 1), &message);
}

TEST_F(PythonStepTest, Answer_IsCopiedIntoTheArena) {
  const std::shared_ptr<const Transform> transform = Make(kPatientMs);
  Pull([](PythonBatch& batch) {
    std::string message;
    EXPECT_EQ(batch.inputs()[0].datatype, "FP32");
    EXPECT_TRUE(Echo(batch, "FP32", message)) << message;
  });
  ASSERT_TRUE(Run(*transform).ok());
  EXPECT_EQ(output_.shape, (Shape{1, 2}));
  EXPECT_EQ(std::memcmp(output_.data.data(), values_.data(), 8), 0);
  EXPECT_EQ(transform->delegated().runs, 1);
  EXPECT_FALSE(transform->brief());
}

TEST_F(PythonStepTest, AnswerThatIsNotAsDeclared_FailsAndSaysWhyToWhoPulled) {
  const std::shared_ptr<const Transform> transform = Make(kPatientMs);
  std::string message;
  Pull([&message](PythonBatch& batch) { EXPECT_FALSE(Echo(batch, "INT32", message)); });
  EXPECT_EQ(Run(*transform).ToString(),
            "INTERNAL: a Python step of the model returned what it does not declare");
  EXPECT_EQ(message, "output 0 is INT32 [1,2], and declared as FP32 [1,-1]");
}

TEST_F(PythonStepTest, Failure_IsHandedOn) {
  const std::shared_ptr<const Transform> transform = Make(kPatientMs);
  Pull([](PythonBatch& batch) { batch.Fail(3, "row 0: too short"); });
  const Status status = Run(*transform);
  EXPECT_EQ(status.ToString(), "INVALID_ARGUMENT: row 0: too short");
  EXPECT_FALSE(status.final()) << "without that row the others are well";
}

TEST_F(PythonStepTest, TooSlow_IsGivenUpAndNobodyWaitsBehindIt) {
  const std::shared_ptr<const Transform> quick = Make(20);
  const std::shared_ptr<const Transform> patient = Make(kPatientMs);
  // Pulled and kept. A machine may be too slow to pull it within its time: then it is tried again.
  std::shared_ptr<PythonBatch> held;
  std::atomic<bool> pulled = false;
  threads_.emplace_back([this, &held, &pulled] {
    held = steps_.Pull();
    pulled = true;
  });
  const Status status = Run(*quick);
  while (!pulled) (void)Run(*quick);
  JoinAll();
  EXPECT_EQ(status.ToString(),
            "INTERNAL: a Python step of the model took longer than it may, 20 ms (timeout_ms)");
  EXPECT_TRUE(status.final()) << "the batch is not to be tried in halves";
  const Status behind = Run(*patient);
  EXPECT_EQ(behind.ToString(),
            "INTERNAL: a Python step of the model waits behind one that does not end");
  EXPECT_TRUE(behind.final());
  // What it was computed from is its own, and what it answers now is nobody's.
  EXPECT_EQ(std::memcmp(held->inputs()[0].data.data(), values_.data(), 8), 0);
  std::string message;
  EXPECT_TRUE(Echo(*held, "FP32", message));
  EXPECT_EQ(output_.data.size(), 0U);
  EXPECT_EQ(quick->delegated().runs, 0);
  // All is well again.
  Pull([](PythonBatch& batch) {
    std::string ignored;
    Echo(batch, "FP32", ignored);
  });
  EXPECT_TRUE(Run(*patient).ok());
}

TEST_F(PythonStepTest, NobodyPulls_IsGivenUpAndNotLeftBehind) {
  const std::shared_ptr<const Transform> quick = Make(5);
  EXPECT_EQ(Run(*quick).code(), StatusCode::kInternal);
  Status status;
  const std::shared_ptr<const Transform> patient = Make(kPatientMs);
  RunAside(*patient, status);
  const std::shared_ptr<PythonBatch> batch = steps_.Pull();
  EXPECT_EQ(batch->step(), 1U);
  batch->Fail(13, "done");
  JoinAll();
  EXPECT_EQ(status.ToString(), "INTERNAL: done");
}

TEST_F(PythonStepTest, EndRuns_EndsThemAndEveryLaterOne) {
  const std::shared_ptr<const Transform> transform = Make(kPatientMs);
  Status status;
  RunAside(*transform, status);
  const std::shared_ptr<PythonBatch> held = steps_.Pull();
  transform->EndRuns();
  JoinAll();
  EXPECT_EQ(status.ToString(), "UNAVAILABLE: the server stops, and a Python step had not ended");
  EXPECT_EQ(Run(*transform).code(), StatusCode::kUnavailable);
  held->Fail(13, "late");
}

TEST_F(PythonStepTest, Close_EndsAll) {
  const std::shared_ptr<const Transform> transform = Make(kPatientMs);
  Status status;
  RunAside(*transform, status);
  const std::shared_ptr<PythonBatch> held = steps_.Pull();
  steps_.Close();
  JoinAll();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(steps_.Pull(), nullptr);
}

TEST_F(PythonStepTest, DatatypeThatCannotBe_IsRefusedWithItsPlace) {
  std::string message;
  std::size_t step = 0;
  EXPECT_EQ(steps_.MakeTransform({.outputs = {{"FP32", {}}, {"BF16", {}}}, .timeout_ms = 1}, &step,
                                 &message),
            nullptr);
  EXPECT_EQ(message,
            "outputs[1].datatype: 'BF16': expected one of the protocol's, such as FP32, and not "
            "BF16, which NumPy does not have");
}

}  // namespace
}  // namespace penstock
