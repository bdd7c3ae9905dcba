#include "frontend/socket_delay.h"

#include <gtest/gtest.h>

namespace penstock::frontend {
namespace {

constexpr TimeNs kLimit = kSecond;

class SocketDelayTest : public testing::Test {
 protected:
  // A backlog of 1,000 bytes that takes so long to be read, in ten turns.
  void Backlog(TimeNs duration) {
    delay_.Mark(1000, now_);
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(delay_.marked());
      now_ += duration / 10;
      delay_.Read(100, /*drained=*/false, now_);
    }
    EXPECT_FALSE(delay_.marked());
  }

  TimeNs now_ = 5 * kSecond;
  SocketDelay delay_{kLimit};
};

TEST_F(SocketDelayTest, LongWait_IsOverloadUntilItIsShorter) {
  Backlog(kLimit);
  EXPECT_EQ(delay_.delay(), kLimit);
  EXPECT_FALSE(delay_.overloaded());
  Backlog(2 * kLimit);
  EXPECT_EQ(delay_.delay(), 2 * kLimit);
  EXPECT_TRUE(delay_.overloaded());
  Backlog(kLimit / 2);
  EXPECT_EQ(delay_.delay(), kLimit / 2);
  EXPECT_FALSE(delay_.overloaded());
}

TEST_F(SocketDelayTest, WaitUnderWay_CountsAsSoonAsItIsTooLong) {
  delay_.Mark(1000, now_);
  delay_.Read(1, /*drained=*/false, now_ + kLimit);
  EXPECT_FALSE(delay_.overloaded());
  delay_.Read(1, /*drained=*/false, now_ + kLimit + 1);
  EXPECT_TRUE(delay_.overloaded());
}

TEST_F(SocketDelayTest, EmptySocket_EndsIt) {
  Backlog(2 * kLimit);
  delay_.Read(100, /*drained=*/true, now_ += kMillisecond);
  EXPECT_FALSE(delay_.overloaded());
  EXPECT_EQ(delay_.delay(), 0);
  delay_.Mark(1000, now_);
  delay_.Read(100, /*drained=*/true, now_ += 2 * kLimit);
  EXPECT_FALSE(delay_.marked());
  EXPECT_FALSE(delay_.overloaded()) << "the peer took its time, not we";
}

}  // namespace
}  // namespace penstock::frontend
