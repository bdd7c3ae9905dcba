#include "session/ort_status.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(ClientSafeMessage, AbsolutePath_IsTakenOut) {
  EXPECT_EQ(ClientSafeMessage("Status Message: /src/core/gather.h:42 idx=12"),
            "Status Message: <path> idx=12");
  EXPECT_EQ(ClientSafeMessage("/srv/m.onnx failed"), "<path> failed");
  EXPECT_EQ(ClientSafeMessage("open '/srv/m.onnx': no"), "open '<path>': no");
  EXPECT_EQ(ClientSafeMessage("file=/srv/m.onnx"), "file=<path>");
  EXPECT_EQ(ClientSafeMessage("at C:\\models\\m.onnx now"), "at <path> now");
}

TEST(ClientSafeMessage, SlashThatIsNoPath_Stays) {
  EXPECT_EQ(ClientSafeMessage("3 / 4 and a/b"), "3 / 4 and a/b");
  EXPECT_EQ(ClientSafeMessage("ends with /"), "ends with /");
}

TEST(ClientSafeMessage, ControlBytes_BecomeSpaces) {
  EXPECT_EQ(ClientSafeMessage("a\nb\x80"), "a b ");
}

TEST(ClientSafeMessage, LongText_IsCutAt300Bytes) {
  EXPECT_EQ(ClientSafeMessage(std::string(5000, 'x')).size(), 300U);
  EXPECT_EQ(ClientSafeMessage(""), "");
}

}  // namespace
}  // namespace penstock
