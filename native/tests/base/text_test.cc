// Status, Result, StrCat, Printable and the log's two formats.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <string>

#include "base/log.h"
#include "base/status.h"
#include "base/strings.h"
#include "base/unique_fd.h"

namespace penstock {
namespace {

Result<int> Half(int n) {
  if (n % 2 != 0) return InvalidArgument("odd");
  return n / 2;
}

Result<int> Quarter(int n) {
  ASSIGN_OR_RETURN(const int half, Half(n));
  return Half(half);
}

TEST(StatusTest, CodesAndCopies_Hold) {
  EXPECT_TRUE(Status().ok());
  EXPECT_TRUE(Status(StatusCode::kOk, "ignored").ok());
  EXPECT_EQ(Status().ToString(), "OK");
  Status status = NotFound("model 'x'");
  const Status copy = status;
  status = Status();
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(copy.code(), StatusCode::kNotFound);
  EXPECT_EQ(copy.message(), "model 'x'");
  EXPECT_EQ(copy.ToString(), "NOT_FOUND: model 'x'");
  EXPECT_EQ(StatusCodeName(StatusCode::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(StatusCodeName(StatusCode::kDeadlineExceeded), "DEADLINE_EXCEEDED");
}

TEST(StatusTest, Result_CarriesValueOrStatus) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_EQ(Quarter(5).status().code(), StatusCode::kInvalidArgument);
}

TEST(StringsTest, StrCat_JoinsPieces) {
  EXPECT_EQ(StrCat("a", 1, 'b', std::int64_t{-2}, std::string("c"), std::uint8_t{7}), "a1b-2c7");
}

TEST(StringsTest, Printable_CutsAndReplaces) {
  EXPECT_EQ(Printable("a\nb\x7f\xc3"), "a?b??");
  EXPECT_EQ(Printable(std::string(64, 'x')), std::string(64, 'x'));
  EXPECT_EQ(Printable(std::string(65, 'x')), std::string(64, 'x') + "...");
}

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> fds;
    ASSERT_EQ(pipe(fds.data()), 0);
    read_ = UniqueFd(fds[0]);
    write_ = UniqueFd(fds[1]);
  }
  std::string Take() {
    std::array<char, 4096> text;
    const ssize_t n = read(read_.get(), text.data(), text.size());
    return std::string(text.data(), static_cast<std::size_t>(n));
  }
  UniqueFd read_, write_;
};

TEST_F(LogTest, Json_EscapesWhatJsonForbids) {
  Logger logger({.json = true, .fd = write_.get()});
  logger.Warning("say \"hi\"\n", {{"path", "a\\b\x01"}, {"empty", ""}});
  const std::string line = Take();
  EXPECT_NE(line.find(R"("level":"warning","message":"say \"hi\"\u000a",)"
                      R"("path":"a\\b\u0001","empty":""})"),
            std::string::npos)
      << line;
  EXPECT_EQ(line.front(), '{');
  EXPECT_EQ(line.back(), '\n');
  EXPECT_EQ(line.find('\n'), line.size() - 1) << "one line";
}

// A client's text may reach a log; it must not be able to write lines of its own.
TEST_F(LogTest, Text_IsOneLineWhateverTheFieldsHold) {
  Logger logger({.fd = write_.get()});
  logger.Info("message", {{"a", "two words"}, {"b", "x\nforged"}, {"c", "\r\x1b[2J"}, {"d", ""}});
  const std::string line = Take();
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  EXPECT_EQ(line.find('\r'), std::string::npos) << line;
  EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
  EXPECT_NE(line.find(R"(a="two words" b="x\u000aforged")"), std::string::npos) << line;
}

TEST_F(LogTest, SeverityMin_DropsWhatIsLess) {
  Logger logger({.severity_min = LogSeverity::kWarning, .fd = write_.get()});
  logger.Info("no");
  logger.Error("yes");
  const std::string line = Take();
  EXPECT_EQ(line.find("no"), std::string::npos);
  EXPECT_NE(line.find("error yes"), std::string::npos) << line;
}

}  // namespace
}  // namespace penstock
