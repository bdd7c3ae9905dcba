// grpc-timeout, percent encoding, content types.
#include "grpc/text.h"

#include <gtest/gtest.h>

namespace penstock::grpc {
namespace {

TEST(GrpcTextTest, ParseTimeout_Units) {
  EXPECT_EQ(ParseTimeout("2H"), 7200 * kSecond);
  EXPECT_EQ(ParseTimeout("3M"), 180 * kSecond);
  EXPECT_EQ(ParseTimeout("4S"), 4 * kSecond);
  EXPECT_EQ(ParseTimeout("100m"), 100 * kMillisecond);
  EXPECT_EQ(ParseTimeout("7u"), 7 * kMicrosecond);
  EXPECT_EQ(ParseTimeout("99999999n"), 99'999'999);
  EXPECT_EQ(ParseTimeout("0n"), 0);
  EXPECT_EQ(ParseTimeout("00000001S"), kSecond);
}

TEST(GrpcTextTest, ParseTimeout_LargestSaturates) {
  EXPECT_EQ(ParseTimeout("99999999H"), kNever);
  EXPECT_EQ(ParseTimeout("99999999M"), TimeNs{99'999'999} * 60 * kSecond);
  EXPECT_EQ(AddSaturated(kSecond, *ParseTimeout("99999999H")), kNever);
}

TEST(GrpcTextTest, ParseTimeout_Malformed) {
  for (const char* text : {"", "S", "1", "1s", "123456789S", "-1S", "+1S", " 1S", "1 S", "1.5S",
                           "1SS", "0x1S", "1h", "\xff"}) {
    EXPECT_EQ(ParseTimeout(text), std::nullopt) << text;
  }
}

TEST(GrpcTextTest, PercentEncode_KeepsPrintableAscii) {
  EXPECT_EQ(PercentEncode("input 'x': 60 bytes ~"), "input 'x': 60 bytes ~");
  EXPECT_EQ(PercentEncode("100%\n\x7f\xc3\xa9"), "100%25%0A%7F%C3%A9");
  EXPECT_EQ(PercentEncode(""), "");
}

TEST(GrpcTextTest, ContentType_IsGrpcWithWhatMayFollow) {
  for (const char* text : {"application/grpc", "application/grpc+proto", "application/grpc;x=y"}) {
    EXPECT_TRUE(IsGrpcContentType(text)) << text;
  }
  for (const char* text : {"", "application/json", "application/grpc-web", "application/grp"}) {
    EXPECT_FALSE(IsGrpcContentType(text)) << text;
  }
}

}  // namespace
}  // namespace penstock::grpc
