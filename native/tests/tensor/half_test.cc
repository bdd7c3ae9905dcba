#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

namespace penstock {
namespace {

TEST(Half, Every_GoesToFloatAndBackUnchanged) {
  for (unsigned i = 0; i < 65'536; ++i) {
    const auto half = static_cast<std::uint16_t>(i);
    const float value = FromHalf(half);
    if (std::isnan(value)) {
      EXPECT_EQ(i & 0x7C00, 0x7C00U) << i;
      EXPECT_TRUE(std::isnan(FromHalf(ToHalf(value)))) << i;
    } else {
      EXPECT_EQ(ToHalf(value), half) << i;
    }
  }
}

TEST(Half, KnownValues_AreExact) {
  EXPECT_EQ(FromHalf(0x3C00), 1.0F);
  EXPECT_EQ(FromHalf(0xC000), -2.0F);
  EXPECT_EQ(FromHalf(0x0001), 0x1p-24F);
  EXPECT_EQ(FromHalf(0x7BFF), 65'504.0F);
  EXPECT_EQ(FromHalf(0x7C00), std::numeric_limits<float>::infinity());
  EXPECT_EQ(FromBrainFloat(0xC040), -3.0F);
}

TEST(Half, BetweenTwoHalves_RoundsToTheEvenOne) {
  EXPECT_EQ(ToHalf(1.0F + 0x1p-11F), 0x3C00);
  EXPECT_EQ(ToHalf(1.0F + 0x3p-11F), 0x3C02);
  EXPECT_EQ(ToHalf(65'519.0F), 0x7BFF);
  EXPECT_EQ(ToHalf(65'520.0F), 0x7C00);
}

}  // namespace
}  // namespace penstock
