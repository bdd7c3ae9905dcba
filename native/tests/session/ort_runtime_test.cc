// Opening the engine: what is refused, and that it leaves no trace on disk.
#include "session/ort_runtime.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "support/test_files.h"

namespace penstock {
namespace {

TEST(OrtRuntime, MissingLibrary_IsFailedPrecondition) {
  const Status status = OrtRuntime::Open("/nowhere/libonnxruntime.so.1").status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("/nowhere/libonnxruntime.so.1"), std::string_view::npos);
}

TEST(OrtRuntime, OtherLibrary_IsFailedPrecondition) {
  const Status status = OrtRuntime::Open("libc.so.6").status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("is not ONNX Runtime"), std::string_view::npos);
}

// Runs a model once; the exit code says how far it came. In a child of its own, because telemetry
// is decided when the engine is opened first in a process.
int RunOnce(const std::string& library, const std::string& model) {
  Result<std::unique_ptr<OrtRuntime>> runtime = OrtRuntime::Open(library);
  if (!runtime.ok()) return 10;
  Result<std::unique_ptr<Session>> session = runtime.value()->CreateSession({.model_path = model});
  if (!session.ok()) return 11;
  const std::vector<float> x(64);
  const TensorView input = {
      .dtype = DataType::kFp32, .shape = {1, 64}, .data = std::as_bytes(std::span(x))};
  return session.value()->Run({&input, 1}).ok() ? 0 : 12;
}

TEST(OrtRuntime, EmptyHome_StaysEmpty) {
  const std::string library = OrtLibraryPath();
  const std::string model = TestModelPath("mlp");
  char home[] = "/tmp/penstock_home_XXXXXX";
  ASSERT_NE(mkdtemp(home), nullptr);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    setenv("HOME", home, 1);
    setenv("XDG_CACHE_HOME", home, 1);
    setenv("XDG_DATA_HOME", home, 1);
    setenv("TMPDIR", home, 1);
    unsetenv("ORT_DISABLE_TELEMETRY");
    // exit, not _exit: what the engine writes at the end of a process counts too.
    exit(RunOnce(library, model));
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(home)) {
    ADD_FAILURE() << "the engine wrote " << entry.path();
  }
  std::filesystem::remove_all(home);
}

}  // namespace
}  // namespace penstock
