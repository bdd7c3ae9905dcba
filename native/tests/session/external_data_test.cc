// Real folders and links below the test's own directory.
#include "session/external_data.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace penstock {
namespace {

namespace fs = std::filesystem;

class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    char root[] = "/tmp/penstock_external_XXXXXX";
    ASSERT_NE(mkdtemp(root), nullptr);
    root_ = root;
    fs::create_directories(root_ / "model/below");
    for (const char* file :
         {"outside.bin", "model/model.onnx", "model/w.bin", "model/below/w.bin"}) {
      std::ofstream(root_ / file) << "weights";
    }
  }
  void TearDown() override { fs::remove_all(root_); }

  Status Check(const std::string& location) const {
    return CheckExternalData((root_ / "model/model.onnx").string(), {location});
  }
  void ExpectRefused(const std::string& location, StatusCode code, std::string_view text) const {
    const Status status = Check(location);
    EXPECT_EQ(status.code(), code) << location;
    EXPECT_NE(status.message().find(text), std::string_view::npos) << status.ToString();
  }

  fs::path root_;
};

TEST_F(ExternalDataTest, InTheFolderOrBelow_IsAllowed) {
  EXPECT_TRUE(Check("w.bin").ok()) << Check("w.bin").ToString();
  EXPECT_TRUE(Check("./below/w.bin").ok());
  EXPECT_TRUE(Check("below/../w.bin").ok());
  EXPECT_TRUE(CheckExternalData("/nowhere/model.onnx", {}).ok());
}

TEST_F(ExternalDataTest, Outside_IsRefused) {
  fs::create_symlink("../outside.bin", root_ / "model/link.bin");
  fs::create_directory_symlink("..", root_ / "model/up");
  constexpr StatusCode kCode = StatusCode::kInvalidArgument;
  ExpectRefused("../outside.bin", kCode, "leads out of the model's folder");
  ExpectRefused("below/../../outside.bin", kCode, "leads out of the model's folder");
  ExpectRefused("link.bin", kCode, "leads out of the model's folder");
  ExpectRefused("up/outside.bin", kCode, "leads out of the model's folder");
  ExpectRefused((root_ / "model/w.bin").string(), kCode, "is an absolute path");
}

TEST_F(ExternalDataTest, FolderWhoseNameBeginsAlike_IsOutside) {
  fs::create_directory(root_ / "model_too");
  std::ofstream(root_ / "model_too/w.bin") << "weights";
  ExpectRefused("../model_too/w.bin", StatusCode::kInvalidArgument, "leads out");
}

TEST_F(ExternalDataTest, NoFile_IsRefused) {
  ExpectRefused("none.bin", StatusCode::kNotFound, "No such file");
  ExpectRefused("below", StatusCode::kInvalidArgument, "is not a regular file");
  ExpectRefused(".", StatusCode::kInvalidArgument, "is not a regular file");
  ExpectRefused("", StatusCode::kInvalidArgument, "is no path");
  ExpectRefused(std::string("w.bin\0", 6), StatusCode::kInvalidArgument, "is no path");
  // How the engine marks weights that already lie in memory, at an address that stands in the file.
  ExpectRefused("*/_ORT_MEM_ADDR_/*", StatusCode::kNotFound, "No such file");
}

TEST_F(ExternalDataTest, ModelThatIsALink_MayUseTheFolderItLeadsTo) {
  fs::create_directories(root_ / "store");
  fs::rename(root_ / "model/model.onnx", root_ / "store/a");
  std::ofstream(root_ / "store/b") << "weights";
  fs::create_symlink("../store/a", root_ / "model/model.onnx");
  fs::create_symlink("../store/b", root_ / "model/data.bin");
  EXPECT_TRUE(Check("data.bin").ok()) << Check("data.bin").ToString();
  EXPECT_TRUE(Check("w.bin").ok());
  ExpectRefused("../outside.bin", StatusCode::kInvalidArgument, "leads out");
}

}  // namespace
}  // namespace penstock
