// The real engine and real models: what a session declares, computes and refuses.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "session/ort_runtime.h"
#include "support/strings.h"
#include "support/test_files.h"

namespace penstock {
namespace {

class OrtSessionTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<OrtRuntime>> runtime = OrtRuntime::Open(OrtLibraryPath());
    ASSERT_TRUE(runtime.ok()) << runtime.status().ToString();
    runtime_ = std::move(runtime).value();
  }

  Result<std::unique_ptr<Session>> Load(const std::string& name) {
    return runtime_->CreateSession({.model_path = TestModelPath(name)});
  }
  std::unique_ptr<Session> MustLoad(const std::string& name) {
    Result<std::unique_ptr<Session>> session = Load(name);
    CHECK(session.ok() || (ADD_FAILURE() << session.status().ToString(), false));
    return std::move(session).value();
  }
  // Refused as FAILED_PRECONDITION with this text in the message.
  void ExpectRefused(const std::string& name, const std::string& text) {
    const Result<std::unique_ptr<Session>> session = Load(name);
    ASSERT_FALSE(session.ok()) << name;
    EXPECT_EQ(session.status().code(), StatusCode::kFailedPrecondition);
    EXPECT_NE(session.status().message().find(text), std::string_view::npos)
        << session.status().ToString();
  }

  std::unique_ptr<OrtRuntime> runtime_;
};

template <typename T>
TensorView View(DataType dtype, const Shape& shape, const std::vector<T>& values) {
  return {.dtype = dtype, .shape = shape, .data = std::as_bytes(std::span(values))};
}

std::vector<float> Floats(const TensorView& view) {
  std::vector<float> values(view.data.size() / sizeof(float));
  std::memcpy(values.data(), view.data.data(), view.data.size());
  return values;
}

TEST_F(OrtSessionTest, Runtime_TellsVersionAndProviders) {
  EXPECT_EQ(runtime_->version().substr(0, 2), "1.");
  const std::vector<std::string>& providers = runtime_->available_providers();
  EXPECT_NE(std::ranges::find(providers, "CPUExecutionProvider"), providers.end());
}

TEST_F(OrtSessionTest, Mlp_DeclaresItsTensors) {
  const std::unique_ptr<Session> session = MustLoad("mlp");
  ASSERT_EQ(session->inputs().size(), 1U);
  EXPECT_EQ(session->inputs()[0].name, "x");
  EXPECT_EQ(session->inputs()[0].dtype, DataType::kFp32);
  EXPECT_EQ(session->inputs()[0].shape, (Shape{-1, 64}));
  EXPECT_TRUE(session->inputs()[0].first_dim_symbolic);
  ASSERT_EQ(session->outputs().size(), 1U);
  EXPECT_EQ(session->outputs()[0].name, "y");
  EXPECT_EQ(session->outputs()[0].shape, (Shape{-1, 10}));
  EXPECT_EQ(session->data_dependent_operator(), "");
}

TEST_F(OrtSessionTest, FixedBatch_IsNotSymbolic) {
  const std::unique_ptr<Session> session = MustLoad("fixed_batch");
  EXPECT_EQ(session->inputs()[0].shape, (Shape{1, 4}));
  EXPECT_FALSE(session->inputs()[0].first_dim_symbolic);
}

TEST_F(OrtSessionTest, TwoInputsTwoOutputs_KeepTheirOrder) {
  const std::unique_ptr<Session> session = MustLoad("two_by_two");
  const std::vector<float> a = {1, 2, 3, 4};
  const std::vector<float> b = {10, 20, 30, 40};
  const std::vector<TensorView> inputs = {View(DataType::kFp32, {1, 4}, a),
                                          View(DataType::kFp32, {1, 4}, b)};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const std::span<const TensorView> tensors = outputs.value()->tensors();
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(Floats(tensors[0]), (std::vector<float>{11, 22, 33, 44}));
  EXPECT_EQ(Floats(tensors[1]), (std::vector<float>{10, 40, 90, 160}));
  EXPECT_EQ(tensors[1].shape, (Shape{1, 4}));
}

TEST_F(OrtSessionTest, TwentyInputsAndOutputs_PassTheInlineArrays) {
  const std::unique_ptr<Session> session = MustLoad("many_inputs");
  std::vector<std::vector<float>> values;
  std::vector<TensorView> inputs;
  for (int i = 0; i < 20; ++i) values.push_back({static_cast<float>(i), 0.5F});
  for (const std::vector<float>& value : values) {
    inputs.push_back(View(DataType::kFp32, {1, 2}, value));
  }
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  for (std::size_t i = 0; i < 20; ++i) {
    EXPECT_EQ(Floats(outputs.value()->tensors()[i]),
              (std::vector<float>{-static_cast<float>(i), -0.5F}));
  }
}

TEST_F(OrtSessionTest, EveryDtype_ReturnsItsBytes) {
  const std::map<std::string, DataType> kTypes = {
      {"bool", DataType::kBool},     {"uint8", DataType::kUint8},   {"uint16", DataType::kUint16},
      {"uint32", DataType::kUint32}, {"uint64", DataType::kUint64}, {"int8", DataType::kInt8},
      {"int16", DataType::kInt16},   {"int32", DataType::kInt32},   {"int64", DataType::kInt64},
      {"fp16", DataType::kFp16},     {"fp32", DataType::kFp32},     {"fp64", DataType::kFp64},
      {"bf16", DataType::kBf16}};
  for (const auto& [name, type] : kTypes) {
    SCOPED_TRACE(name);
    const std::unique_ptr<Session> session = MustLoad("identity_" + name);
    EXPECT_EQ(session->inputs()[0].dtype, type);
    std::vector<std::uint8_t> bytes(6 * DataTypeSize(type));
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i % 2);
    const TensorView input = View(type, {2, 3}, bytes);
    const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run({&input, 1});
    ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
    const TensorView& output = outputs.value()->tensors()[0];
    EXPECT_EQ(output.dtype, type);
    EXPECT_EQ(output.shape, (Shape{2, 3}));
    EXPECT_TRUE(std::ranges::equal(output.data, input.data));
  }
}

TEST_F(OrtSessionTest, Strings_KeepNulAndBytesThatAreNoUtf8) {
  const std::unique_ptr<Session> session = MustLoad("identity_bytes");
  EXPECT_EQ(session->inputs()[0].dtype, DataType::kBytes);
  EXPECT_EQ(session->outputs()[0].dtype, DataType::kBytes);
  using std::string_literals::operator""s;
  const std::vector<std::string> strings = {
      "a\0b"s, "\0"s, "", "\xff\xfe\x80", std::string(5000, 'x'), "end\0"s};
  const std::vector<std::byte> data = BytesOf(strings);
  const TensorView input = {.dtype = DataType::kBytes, .shape = {2, 3}, .data = data};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run({&input, 1});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const TensorView& output = outputs.value()->tensors()[0];
  EXPECT_EQ(output.dtype, DataType::kBytes);
  EXPECT_EQ(output.shape, (Shape{2, 3}));
  EXPECT_EQ(StringsOf(output.data), strings);
  EXPECT_TRUE(std::ranges::equal(output.data, data));
  const std::span<const std::size_t> offsets = outputs.value()->element_offsets(0);
  ASSERT_EQ(offsets.size(), strings.size() + 1);
  std::size_t expected = 0;
  for (std::size_t i = 0; i < strings.size(); ++i) {
    EXPECT_EQ(offsets[i], expected);
    expected += kBytesLengthSize + strings[i].size();
  }
  EXPECT_EQ(offsets.back(), expected);
}

TEST_F(OrtSessionTest, NoStrings_AreAnEmptyTensor) {
  const std::unique_ptr<Session> session = MustLoad("strings_joined");
  const TensorView none = {.dtype = DataType::kBytes, .shape = {0}, .data = {}};
  const std::vector<TensorView> inputs = {none, none};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(outputs.value()->tensors()[0].shape, (Shape{0}));
  EXPECT_TRUE(outputs.value()->tensors()[0].data.empty());
  EXPECT_EQ(outputs.value()->element_offsets(0).size(), 1U);
}

TEST_F(OrtSessionTest, StringsAndNumbersTogether_AreBothRead) {
  const std::unique_ptr<Session> session = MustLoad("strings_and_numbers");
  const std::vector<std::byte> words = BytesOf({"12", "-3"});
  const std::vector<std::int64_t> numbers = {7, 8};
  const std::vector<TensorView> inputs = {
      {.dtype = DataType::kBytes, .shape = {2, 1}, .data = words},
      View(DataType::kInt64, {2, 1}, numbers)};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  const std::span<const TensorView> tensors = outputs.value()->tensors();
  EXPECT_EQ(Floats(tensors[0]), (std::vector<float>{12, -3}));
  EXPECT_EQ(StringsOf(tensors[1].data), (std::vector<std::string>{"7", "8"}));
  // What the model cannot read is the request's fault or the engine's, and leaves nothing behind.
  const std::vector<std::byte> no_numbers = BytesOf({"x", ""});
  const std::vector<TensorView> bad = {
      {.dtype = DataType::kBytes, .shape = {2, 1}, .data = no_numbers}, inputs[1]};
  EXPECT_FALSE(session->Run(bad).ok());
  EXPECT_TRUE(session->Run(inputs).ok());
}

TEST_F(OrtSessionTest, OutputShape_IsWhatCameBack) {
  const std::unique_ptr<Session> session = MustLoad("reduce_rows");
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8};
  const TensorView input = View(DataType::kFp32, {2, 4}, x);
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run({&input, 1});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(outputs.value()->tensors()[0].shape, (Shape{1, 4}));
  EXPECT_EQ(Floats(outputs.value()->tensors()[0]), (std::vector<float>{3, 4, 5, 6}));
}

TEST_F(OrtSessionTest, NoRows_GiveNoRows) {
  const std::unique_ptr<Session> session = MustLoad("identity_fp32");
  const TensorView input = {.dtype = DataType::kFp32, .shape = {0, 3}, .data = {}};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run({&input, 1});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(outputs.value()->tensors()[0].shape, (Shape{0, 3}));
  EXPECT_TRUE(outputs.value()->tensors()[0].data.empty());
}

TEST_F(OrtSessionTest, UnalignedInput_IsRead) {
  const std::unique_ptr<Session> session = MustLoad("identity_fp32");
  std::vector<std::byte> bytes(13, std::byte{1});
  const TensorView input = {
      .dtype = DataType::kFp32, .shape = {1, 3}, .data = std::span(bytes).subspan(1)};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run({&input, 1});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_TRUE(std::ranges::equal(outputs.value()->tensors()[0].data, input.data));
}

TEST_F(OrtSessionTest, SeveralThreads_ShareOneSession) {
  const std::unique_ptr<Session> session = MustLoad("two_by_two");
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&session, &wrong, t] {
        const std::vector<float> a(4, static_cast<float>(t));
        const std::vector<TensorView> inputs(2, View(DataType::kFp32, {1, 4}, a));
        const std::vector<float> sum(4, static_cast<float>(2 * t));
        for (int i = 0; i < 200; ++i) {
          const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run(inputs);
          if (!outputs.ok() || Floats(outputs.value()->tensors()[0]) != sum) ++wrong;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST_F(OrtSessionTest, RunStop_FailsItsOwnRunsUntilReset) {
  const std::unique_ptr<Session> session = MustLoad("mlp");
  const std::vector<float> values(64, 0.5F);
  const std::vector<TensorView> inputs = {View(DataType::kFp32, {1, 64}, values)};
  const std::unique_ptr<RunStop> stop = session->NewRunStop();
  const std::unique_ptr<RunStop> other = session->NewRunStop();
  ASSERT_TRUE(session->Run(inputs, stop.get()).ok());
  stop->Terminate();
  EXPECT_FALSE(session->Run(inputs, stop.get()).ok());
  EXPECT_TRUE(session->Run(inputs, other.get()).ok());
  EXPECT_TRUE(session->Run(inputs).ok());
  stop->Reset();
  EXPECT_TRUE(session->Run(inputs, stop.get()).ok());
}

TEST_F(OrtSessionTest, RunStop_EndsARunThatIsUnderWayAndServesOtherSessions) {
  const std::unique_ptr<Session> loop = MustLoad("loop");
  const std::unique_ptr<Session> mlp = MustLoad("mlp");
  const std::vector<std::int64_t> count = {std::int64_t{1} << 60};
  const std::vector<float> x(4);
  const std::vector<TensorView> inputs = {View(DataType::kInt64, {}, count),
                                          View(DataType::kFp32, {1, 4}, x)};
  const std::unique_ptr<RunStop> stop = loop->NewRunStop();
  std::atomic<bool> begins = false;
  std::jthread terminator([&begins, &stop] {
    begins.wait(false);
    stop->Terminate();
  });
  begins = true;
  begins.notify_all();
  EXPECT_EQ(loop->Run(inputs, stop.get()).status().code(), StatusCode::kInternal);
  terminator.join();
  stop->Reset();
  const std::vector<float> values(64, 0.5F);
  const std::vector<TensorView> small = {View(DataType::kFp32, {1, 64}, values)};
  EXPECT_TRUE(mlp->Run(small, stop.get()).ok());
}

TEST_F(OrtSessionTest, WrongDtype_IsInvalidArgument) {
  const std::unique_ptr<Session> session = MustLoad("mlp");
  const std::vector<double> x(64);
  const TensorView input = View(DataType::kFp64, {1, 64}, x);
  EXPECT_EQ(session->Run({&input, 1}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(OrtSessionTest, WrongRankOrDimension_IsInvalidArgument) {
  const std::unique_ptr<Session> session = MustLoad("mlp");
  const std::vector<float> x(64);
  for (const Shape& shape : {Shape{64}, Shape{2, 32}}) {
    const TensorView input = View(DataType::kFp32, shape, x);
    EXPECT_EQ(session->Run({&input, 1}).status().code(), StatusCode::kInvalidArgument);
  }
}

TEST_F(OrtSessionTest, FewerBytesThanShape_IsInvalidArgument) {
  const std::unique_ptr<Session> session = MustLoad("mlp");
  const std::vector<float> x(15);
  const TensorView input = View(DataType::kFp32, {1, 64}, x);
  EXPECT_EQ(session->Run({&input, 1}).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(OrtSessionTest, IndexOutOfRange_IsItsFaultAndNamesNoPath) {
  const std::unique_ptr<Session> session = MustLoad("gather");
  const std::vector<std::int64_t> index = {999};
  const TensorView input = View(DataType::kInt64, {1}, index);
  const Status status = session->Run({&input, 1}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.ToString();
  EXPECT_EQ(status.message().find(" /"), std::string_view::npos) << status.ToString();
  EXPECT_NE(status.message().find("999"), std::string_view::npos) << status.ToString();
  EXPECT_LE(status.message().size(), 300U);
}

TEST_F(OrtSessionTest, EngineFailure_IsInternalAndSessionGoesOn) {
  const std::unique_ptr<Session> session = MustLoad("reshape_fails");
  const std::vector<float> x(9);
  const TensorView bad = View(DataType::kFp32, {3, 3}, x);
  EXPECT_EQ(session->Run({&bad, 1}).status().code(), StatusCode::kInternal);
  const std::vector<float> y(6);
  const TensorView good = View(DataType::kFp32, {2, 3}, y);
  EXPECT_TRUE(session->Run({&good, 1}).ok());
}

TEST_F(OrtSessionTest, Loop_HasNoFixedCost) {
  const std::unique_ptr<Session> session = MustLoad("loop");
  EXPECT_EQ(session->data_dependent_operator(), "Loop");
  const std::vector<std::int64_t> count = {3};
  const std::vector<float> x = {1, 2, 3, 4};
  const std::vector<TensorView> inputs = {View(DataType::kInt64, {}, count),
                                          View(DataType::kFp32, {1, 4}, x)};
  const Result<std::unique_ptr<SessionOutputs>> outputs = session->Run(inputs);
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  EXPECT_EQ(Floats(outputs.value()->tensors()[0]), (std::vector<float>{8, 16, 24, 32}));
}

TEST_F(OrtSessionTest, TensorsThatAreNotServed_AreNamed) {
  ExpectRefused("complex", "tensor(complex64)");  // the engine itself has no such tensors
  ExpectRefused("sequence_input", "input 'x' is a sequence");
  ExpectRefused("zipmap_taken", "would be served as 'probability_labels', which is taken");
  ExpectRefused("rank_nine", "input 'x' has 9 dimensions");
  ExpectRefused("no_shape", "input 'x' declares no shape");
}

TEST_F(OrtSessionTest, MissingModel_IsNotFound) {
  EXPECT_EQ(Load("nothing_here").status().code(), StatusCode::kNotFound);
}

TEST_F(OrtSessionTest, CorruptModel_IsInvalidArgumentWithPath) {
  const std::string path = testing::TempDir() + "/penstock_corrupt.onnx";
  std::ofstream(path) << "this is no model";
  const Status status = runtime_->CreateSession({.model_path = path}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find(path), std::string_view::npos) << status.ToString();
  std::filesystem::remove(path);
}

// Whatever a damaged file still says, it ends in a session or in a status of the operator's fault.
TEST_F(OrtSessionTest, DamagedModel_IsRefusedOrRuns) {
  constexpr std::uint32_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const std::string path = testing::TempDir() + "/penstock_damaged.onnx";
  for (const char* name : {"two_by_two", "loop", "gather"}) {
    std::ifstream file(TestModelPath(name), std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(file), {}};
    ASSERT_GT(whole.size(), 100U);
    for (int i = 0; i < 100; ++i) {
      std::string bytes = whole;
      if (i % 2 == 0) bytes.resize(random() % whole.size());
      for (int flips = i % 4; flips > 0 && !bytes.empty(); --flips) {
        bytes[random() % bytes.size()] = static_cast<char>(random());
      }
      std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
      const Status status = runtime_->CreateSession({.model_path = path}).status();
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInvalidArgument ||
                  status.code() == StatusCode::kFailedPrecondition ||
                  status.code() == StatusCode::kNotFound)
          << status.ToString();
    }
  }
  std::filesystem::remove(path);
}

TEST_F(OrtSessionTest, WellFormedNonsense_IsRefusedByTheEngine) {
  // A graph with one node of an operator that does not exist; the scan finds nothing wrong.
  const std::string path = testing::TempDir() + "/penstock_nonsense.onnx";
  std::ofstream(path) << "\x08\x0a\x3a\x06\x0a\x04\x22\x02No";
  const Status status = runtime_->CreateSession({.model_path = path}).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.code(), StatusCode::kInternal) << status.ToString();
  std::filesystem::remove(path);
}

// What `make test` fills on a machine with the GPU wheel; nothing elsewhere.
std::vector<std::string> CudaLibraries() {
  const char* const value = std::getenv("PENSTOCK_PROVIDER_LIBRARIES");
  std::istringstream paths(value == nullptr ? "" : value);
  std::vector<std::string> libraries;
  for (std::string path; std::getline(paths, path, ':');) libraries.push_back(path);
  return libraries;
}

// Every machine shows one of three: no CUDA in the wheel, no driver below it, or a GPU that agrees.
TEST_F(OrtSessionTest, Cuda_AgreesWithCpuOrSaysWhatIsMissing) {
  const Result<std::unique_ptr<Session>> cuda =
      runtime_->CreateSession({.model_path = TestModelPath("mlp"),
                               .providers = {"cuda"},
                               .provider_libraries = CudaLibraries()});
  const std::vector<std::string>& available = runtime_->available_providers();
  const bool in_wheel = std::ranges::find(available, "CUDAExecutionProvider") != available.end();
  if (!cuda.ok()) {
    EXPECT_EQ(cuda.status().code(), StatusCode::kFailedPrecondition);
    const std::string_view remedy = in_wheel ? "needs the NVIDIA driver" : "'penstock[gpu]'";
    EXPECT_NE(cuda.status().message().find(remedy), std::string_view::npos)
        << cuda.status().ToString();
    return;
  }
  ASSERT_TRUE(in_wheel);
  const std::unique_ptr<Session> cpu = MustLoad("mlp");
  std::vector<float> x(64);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i) / 64;
  const TensorView input = View(DataType::kFp32, {1, 64}, x);
  const Result<std::unique_ptr<SessionOutputs>> a = cpu->Run({&input, 1});
  const Result<std::unique_ptr<SessionOutputs>> b = cuda.value()->Run({&input, 1});
  ASSERT_TRUE(a.ok() && b.ok()) << a.status().ToString() << b.status().ToString();
  const std::vector<float> expected = Floats(a.value()->tensors()[0]);
  const std::vector<float> got = Floats(b.value()->tensors()[0]);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-2);
}

TEST_F(OrtSessionTest, OtherProviderWithoutItsWheel_SaysWhatToInstall) {
  const Status status =
      runtime_
          ->CreateSession({.model_path = TestModelPath("mlp"), .providers = {"openvino", "cpu"}})
          .status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("CPUExecutionProvider"), std::string_view::npos);
  EXPECT_NE(status.message().find("pip install onnxruntime-openvino"), std::string_view::npos);
}

TEST_F(OrtSessionTest, ProviderList_IsChecked) {
  for (const std::vector<std::string>& providers :
       {std::vector<std::string>{}, {"tpu"}, {"cpu", "cuda"}, {"CPU"}}) {
    const Status status =
        runtime_->CreateSession({.model_path = TestModelPath("mlp"), .providers = providers})
            .status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.ToString();
  }
}

TEST_F(OrtSessionTest, IntraOpThreadsBelowOne_IsInvalidArgument) {
  const Status status =
      runtime_->CreateSession({.model_path = TestModelPath("mlp"), .intra_op_threads = 0}).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace penstock
