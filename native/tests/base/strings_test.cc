#include "base/strings.h"

#include <gtest/gtest.h>

#include <string_view>

namespace penstock {
namespace {

TEST(IsUtf8Test, Text_IsTold) {
  for (const std::string_view text :
       {"", "plain", "\x7f", "\u00e4", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff",
        "\U00010000", "\U0010ffff", "mixed \u00e4\u20ac\U0001f600 text"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  EXPECT_TRUE(IsUtf8(std::string_view("\0", 1)));
}

TEST(IsUtf8Test, AnythingElse_IsNot) {
  using std::string_view_literals::operator""sv;
  for (const std::string_view bytes : {
           "\x80"sv,
           "\xbf"sv,  // continuation without a start
           "\xc3"sv,
           "\xe2\x82"sv,
           "\xf0\x9f\x98"sv,  // cut short
           "\xc3g"sv,
           "\xe2g\xac"sv,
           "\xf0\x9f\x98g"sv,  // continued by something else
           "\xc0\x80"sv,
           "\xc1\xbf"sv,
           "\xe0\x9f\xbf"sv,
           "\xf0\x8f\xbf\xbf"sv,  // longer than needed
           "\xed\xa0\x80"sv,
           "\xed\xbf\xbf"sv,  // surrogates
           "\xf4\x90\x80\x80"sv,
           "\xf5\x80\x80\x80"sv,
           "\xff"sv,
           "\xfe"sv,
       }) {
    EXPECT_FALSE(IsUtf8(bytes));
    EXPECT_FALSE(IsUtf8(std::string("text ").append(bytes)));
    EXPECT_FALSE(IsUtf8(std::string(bytes).append("\xc3\xa4")));
  }
}

}  // namespace
}  // namespace penstock
