// What a Status carries beyond its code and its message.
#include "base/status.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Status, Under_AddsThePlaceAndKeepsTheRest) {
  const Status bad = InvalidArgument("negative");
  EXPECT_EQ(bad.Under("row 3: ").ToString(), "INVALID_ARGUMENT: row 3: negative");
  EXPECT_FALSE(bad.Under("row 3: ").final());
  const Status slow = Internal("too slow").AsFinal();
  EXPECT_EQ(slow.Under("input 'x': ").ToString(), "INTERNAL: input 'x': too slow");
  EXPECT_TRUE(slow.Under("input 'x': ").final());
  EXPECT_EQ(slow.message(), "too slow") << "only the copy has it";
}

TEST(Status, Final_IsCopiedAndMoved) {
  Status slow = Internal("too slow").AsFinal();
  const Status copied = slow;
  EXPECT_TRUE(copied.final());
  const Status moved = std::move(slow);
  EXPECT_TRUE(moved.final());
  EXPECT_FALSE(Status().final());
}

}  // namespace
}  // namespace penstock
