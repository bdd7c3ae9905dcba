// What Session::Run costs beside ONNX Runtime itself: the MLP through our class and through a bare
// loop over the C ABI, interleaved, medians of rounds. Prints one line for each batch size.
// Usage: session_bench LIBONNXRUNTIME MLP.onnx
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "base/clock.h"
#include "session/ort_abi.h"
#include "session/ort_runtime.h"

namespace penstock {
namespace {

constexpr int kRounds = 15;

// The same library and environment as the runtime's: the engine keeps one in a process.
struct Bare {
  explicit Bare(const ort_abi::ApiBase* base) : api(base->GetApi(ort_abi::kApiVersion)) {}

  ort_abi::Api api;
  ort_abi::Env* env = nullptr;
  ort_abi::Session* session = nullptr;
  ort_abi::MemoryInfo* memory = nullptr;
};

void IgnoreLog(void*, int, const char*, const char*, const char*, const char*) {}

// The bench has no use for error messages: what fails ends it.
void Check(const ort_abi::Status* status) {
  CHECK(status == nullptr);
}

Bare OpenBare(const char* library_path, const char* model_path) {
  void* library = dlopen(library_path, RTLD_NOW | RTLD_LOCAL);
  CHECK(library != nullptr);
  using EntryPoint = const ort_abi::ApiBase* (*)();
  Bare bare(reinterpret_cast<EntryPoint>(dlsym(library, "OrtGetApiBase"))());
  const ort_abi::Api& api = bare.api;
  Check(api.CreateEnvWithCustomLogger(&IgnoreLog, nullptr, ort_abi::kLogWarning, "ort", &bare.env));
  Check(api.CreateCpuMemoryInfo(ort_abi::kAllocatorDevice, ort_abi::kMemoryDefault, &bare.memory));
  ort_abi::SessionOptions* options = nullptr;
  Check(api.CreateSessionOptions(&options));
  Check(api.SetIntraOpNumThreads(options, 1));
  Check(api.SetSessionGraphOptimizationLevel(options, ort_abi::kOptimizeAll));
  Check(api.CreateSession(bare.env, model_path, options, &bare.session));
  api.ReleaseSessionOptions(options);
  return bare;
}

void RunBare(const Bare& bare, const std::vector<float>& x, std::int64_t rows) {
  static constexpr const char* kInput = "x";
  static constexpr const char* kOutput = "y";
  const std::array<std::int64_t, 2> dims = {rows, 64};
  ort_abi::Value* input = nullptr;
  ort_abi::Value* output = nullptr;
  Check(bare.api.CreateTensorWithData(bare.memory, const_cast<float*>(x.data()),
                                      x.size() * sizeof(float), dims.data(), dims.size(),
                                      ort_abi::kElementFloat, &input));
  Check(bare.api.Run(bare.session, nullptr, &kInput, &input, 1, &kOutput, 1, &output));
  void* data = nullptr;
  Check(bare.api.GetTensorMutableData(output, &data));
  bare.api.ReleaseValue(input);
  bare.api.ReleaseValue(output);
}

template <typename Run>
double MicrosecondsPerRun(int runs, Run run) {
  const SteadyClock clock;
  const TimeNs start = clock.Now();
  for (int i = 0; i < runs; ++i) run();
  return static_cast<double>(clock.Now() - start) / runs / kMicrosecond;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void Compare(Session& session, const Bare& bare, std::int64_t rows) {
  const std::vector<float> x(static_cast<std::size_t>(rows) * 64, 0.5F);
  const TensorView view = {
      .dtype = DataType::kFp32, .shape = {rows, 64}, .data = std::as_bytes(std::span(x))};
  const int runs = rows == 1 ? 20000 : 2000;
  std::vector<double> ours;
  std::vector<double> bares;
  for (int round = 0; round < kRounds; ++round) {
    ours.push_back(MicrosecondsPerRun(runs, [&] { CHECK(session.Run({&view, 1}).ok()); }));
    bares.push_back(MicrosecondsPerRun(runs, [&] { RunBare(bare, x, rows); }));
  }
  std::printf("rows=%lld session_us=%.2f bare_us=%.2f session_min_us=%.2f bare_min_us=%.2f\n",
              static_cast<long long>(rows), Median(ours), Median(bares),
              *std::ranges::min_element(ours), *std::ranges::min_element(bares));
}

int Main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: session_bench LIBONNXRUNTIME MLP.onnx\n");
    return 2;
  }
  Result<std::unique_ptr<OrtRuntime>> runtime = OrtRuntime::Open(argv[1]);
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", runtime.status().ToString().c_str());
    return 1;
  }
  Result<std::unique_ptr<Session>> session =
      runtime.value()->CreateSession({.model_path = argv[2]});
  if (!session.ok()) {
    std::fprintf(stderr, "%s\n", session.status().ToString().c_str());
    return 1;
  }
  const Bare bare = OpenBare(argv[1], argv[2]);
  for (const std::int64_t rows : {1, 32, 128}) Compare(*session.value(), bare, rows);
  bare.api.ReleaseSession(bare.session);
  bare.api.ReleaseMemoryInfo(bare.memory);
  bare.api.ReleaseEnv(bare.env);
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  return penstock::Main(argc, argv);
}
