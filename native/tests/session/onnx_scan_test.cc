#include "session/onnx_scan.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <string>

#include "support/test_files.h"

namespace penstock {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A file with these bytes, gone when the test ends.
class TemporaryFile final {
 public:
  explicit TemporaryFile(const std::string& bytes) {
    char path[] = "/tmp/penstock_scan_XXXXXX";
    const int fd = mkstemp(path);
    CHECK_GE(fd, 0);
    close(fd);
    path_ = path;
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Protobuf by hand, for models that the helper does not make.
std::string Message(int field, const std::string& content) {
  std::string bytes;
  std::uint32_t key = static_cast<std::uint32_t>(field) << 3 | 2;
  for (; key >= 0x80; key >>= 7) bytes.push_back(static_cast<char>(key | 0x80));
  bytes.push_back(static_cast<char>(key));
  std::size_t length = content.size();
  for (; length >= 0x80; length >>= 7) bytes.push_back(static_cast<char>(length | 0x80));
  bytes.push_back(static_cast<char>(length));
  return bytes + content;
}

// An opset_import of version 21, without which no model is whole.
const std::string kOpset = Message(8, "\x10\x15");

StatusCode ScanCode(const std::string& bytes) {
  const TemporaryFile file(bytes);
  return ScanOnnxFile(file.path()).status().code();
}

TEST(OnnxScan, Mlp_HasNoControlFlow) {
  const Result<OnnxFacts> facts = ScanOnnxFile(TestModelPath("mlp"));
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts.value().data_dependent_operator, "");
  EXPECT_TRUE(facts.value().inputs_without_shape.empty());
  EXPECT_FALSE(facts.value().inner_dims_free);
}

TEST(OnnxScan, Loop_IsNamed) {
  const Result<OnnxFacts> facts = ScanOnnxFile(TestModelPath("loop"));
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts.value().data_dependent_operator, "Loop");
}

TEST(OnnxScan, ControlFlowInLocalFunction_IsFound) {
  const std::string function = Message(7, Message(4, "Scan"));
  const TemporaryFile file(Message(7, Message(1, Message(4, "Mine"))) + kOpset +
                           Message(25, function));
  const Result<OnnxFacts> facts = ScanOnnxFile(file.path());
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts.value().data_dependent_operator, "Scan");
}

TEST(OnnxScan, NodeNamedLoop_IsNoLoop) {
  const std::string node = Message(3, "Loop") + Message(4, "Relu");
  const TemporaryFile file(Message(7, Message(1, node)) + kOpset);
  const Result<OnnxFacts> facts = ScanOnnxFile(file.path());
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts.value().data_dependent_operator, "");
}

TEST(OnnxScan, FreeInnerDimension_IsSeen) {
  const Result<OnnxFacts> facts = ScanOnnxFile(TestModelPath("free_inner"));
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_TRUE(facts.value().inner_dims_free);
}

TEST(OnnxScan, InputWithoutShape_IsNamed) {
  const Result<OnnxFacts> facts = ScanOnnxFile(TestModelPath("no_shape"));
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  ASSERT_EQ(facts.value().inputs_without_shape.size(), 1U);
  EXPECT_EQ(facts.value().inputs_without_shape[0], "x");
}

// A tensor whose weights lie in the file `location`.
std::string ExternalTensor(const std::string& location) {
  return Message(13, Message(1, "offset") + Message(2, "16")) +
         Message(13, Message(1, "location") + Message(2, location));
}

TEST(OnnxScan, ExternalData_IsFoundWhereverItStands) {
  const std::string in_branch =
      Message(1, Message(5, Message(6, Message(5, ExternalTensor("branch")))));
  const std::string graph = Message(5, ExternalTensor("initializer")) +
                            Message(15, Message(1, ExternalTensor("sparse"))) +
                            Message(1, Message(5, Message(5, ExternalTensor("constant")))) +
                            in_branch;
  const std::string function = Message(7, Message(5, Message(10, ExternalTensor("function"))));
  const TemporaryFile file(Message(7, graph) + kOpset + Message(25, function));
  const Result<OnnxFacts> facts = ScanOnnxFile(file.path());
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts.value().external_locations,
            (std::set<std::string>{"initializer", "sparse", "constant", "branch", "function"}));
}

TEST(OnnxScan, CustomOperators_AreThoseThatNobodyDefines) {
  const auto node = [](const std::string& domain, const std::string& name) {
    return Message(1, Message(4, name) + Message(7, domain));
  };
  const std::string graph = node("", "Relu") + node("ai.onnx.ml", "ZipMap") +
                            node("com.microsoft", "Gelu") + node("mine", "Defined") +
                            node("mine", "Missing");
  const std::string function = Message(1, "Defined") + Message(10, "mine");
  const TemporaryFile file(Message(7, graph) + kOpset + Message(25, function));
  const Result<OnnxFacts> facts = ScanOnnxFile(file.path());
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts.value().custom_operators, (std::set<std::string>{"mine:Missing"}));
}

TEST(OnnxScan, GraphsNestedWithoutEnd_AreNoModel) {
  std::string graph;
  for (int i = 0; i < 40; ++i) graph = Message(1, Message(5, Message(6, graph)));
  EXPECT_EQ(ScanCode(Message(7, graph) + kOpset), StatusCode::kInvalidArgument);
}

TEST(OnnxScan, LongerThanProtobuf_IsInvalidArgument) {
  const TemporaryFile file("");
  ASSERT_EQ(truncate(file.path().c_str(), off_t{1} << 31), 0);  // a hole: it takes no space
  const Status status = ScanOnnxFile(file.path()).status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("external data"), std::string_view::npos);
}

TEST(OnnxScan, NoOpset_IsNotWhole) {
  EXPECT_EQ(ScanCode(Message(7, "")), StatusCode::kInvalidArgument);
  EXPECT_EQ(ScanCode(Message(7, "") + kOpset), StatusCode::kOk);
}

TEST(OnnxScan, MissingFile_IsNotFoundWithPath) {
  const Status status = ScanOnnxFile("/nowhere/model.onnx").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "there is no model file '/nowhere/model.onnx'");
}

TEST(OnnxScan, Directory_IsFailedPrecondition) {
  EXPECT_EQ(ScanOnnxFile("/tmp").status().code(), StatusCode::kFailedPrecondition);
}

TEST(OnnxScan, NoModel_IsInvalidArgument) {
  EXPECT_EQ(ScanCode(""), StatusCode::kInvalidArgument);
  EXPECT_EQ(ScanCode("hello, this is text\n"), StatusCode::kInvalidArgument);
  EXPECT_EQ(ScanCode(std::string(100, '\xff')), StatusCode::kInvalidArgument);
  EXPECT_EQ(ScanCode(std::string(100, '\0')), StatusCode::kInvalidArgument);
  EXPECT_EQ(ScanCode("\x08\x0a"), StatusCode::kInvalidArgument);  // well-formed, but no graph
  EXPECT_EQ(ScanCode("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            StatusCode::kInvalidArgument);                    // a graph of 2^64 - 1 bytes
  EXPECT_EQ(ScanCode("\x3b"), StatusCode::kInvalidArgument);  // a group
}

TEST(OnnxScan, TruncatedAnywhere_NeverReadsOutside) {
  const std::string whole = ReadFile(TestModelPath("loop"));
  ASSERT_GT(whole.size(), 100U);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const TemporaryFile file(whole.substr(0, length));
    const Result<OnnxFacts> facts = ScanOnnxFile(file.path());
    // A cut between two fields of the model itself leaves a well-formed prefix.
    EXPECT_TRUE(facts.ok() || facts.status().code() == StatusCode::kInvalidArgument);
  }
}

TEST(OnnxScan, FlippedBytes_EndInAnAnswer) {
  constexpr std::uint32_t kSeed = 7;
  SCOPED_TRACE(kSeed);
  std::mt19937 random(kSeed);
  const std::string whole = ReadFile(TestModelPath("loop"));
  ASSERT_GT(whole.size(), 100U);
  for (int i = 0; i < 1000; ++i) {
    std::string bytes = whole;
    for (int flips = 0; flips < 4; ++flips) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const StatusCode code = ScanCode(bytes);
    EXPECT_TRUE(code == StatusCode::kOk || code == StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace penstock
