#include "model/probe_numbers.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace penstock {
namespace {

template <typename T>
std::span<const std::byte> Bytes(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

std::uint16_t Stored(DataType type, double number) {
  std::uint16_t bits = 0;
  StoreNumber(type, number, std::as_writable_bytes(std::span(&bits, 1)));
  return bits;
}

TEST(ProbeNumbers, Halves_HaveTheirKnownBits) {
  EXPECT_EQ(Stored(DataType::kFp16, 0), 0x0000);
  EXPECT_EQ(Stored(DataType::kFp16, 1), 0x3c00);
  EXPECT_EQ(Stored(DataType::kFp16, -0.5), 0xb800);
  EXPECT_EQ(Stored(DataType::kFp16, 1.0 / 3), 0x3555);
  EXPECT_EQ(Stored(DataType::kBf16, 1), 0x3f80);
  EXPECT_EQ(Stored(DataType::kBf16, -0.5), 0xbf00);
}

TEST(ProbeNumbers, Floats_AgreeWithinToleranceOfTheLargest) {
  const std::vector<float> a = {100, 0.001F};
  EXPECT_TRUE(ElementsAgree(DataType::kFp32, Bytes(a), Bytes(std::vector<float>{100, 0.05F})));
  EXPECT_FALSE(ElementsAgree(DataType::kFp32, Bytes(a), Bytes(std::vector<float>{100, 0.2F})));
}

TEST(ProbeNumbers, Halves_AreComparedAsNumbers) {
  const std::vector<std::uint16_t> one = {0x3c00};
  EXPECT_TRUE(
      ElementsAgree(DataType::kFp16, Bytes(one), Bytes(std::vector<std::uint16_t>{0x3c01})));
  EXPECT_FALSE(
      ElementsAgree(DataType::kFp16, Bytes(one), Bytes(std::vector<std::uint16_t>{0x4000})));
  const std::vector<std::uint16_t> brain_one = {0x3f80};
  EXPECT_TRUE(
      ElementsAgree(DataType::kBf16, Bytes(brain_one), Bytes(std::vector<std::uint16_t>{0x3f81})));
  EXPECT_FALSE(
      ElementsAgree(DataType::kBf16, Bytes(brain_one), Bytes(std::vector<std::uint16_t>{0x4000})));
}

TEST(ProbeNumbers, NotFinite_AgreesOnlyWithItsLike) {
  const std::vector<double> values = {NAN, INFINITY, 1};
  EXPECT_TRUE(ElementsAgree(DataType::kFp64, Bytes(values), Bytes(values)));
  EXPECT_FALSE(
      ElementsAgree(DataType::kFp64, Bytes(values), Bytes(std::vector<double>{0, INFINITY, 1})));
  EXPECT_FALSE(
      ElementsAgree(DataType::kFp64, Bytes(values), Bytes(std::vector<double>{NAN, -INFINITY, 1})));
}

TEST(ProbeNumbers, Integers_AgreeExactly) {
  EXPECT_FALSE(ElementsAgree(DataType::kInt32, Bytes(std::vector<std::int32_t>{1000000}),
                             Bytes(std::vector<std::int32_t>{1000001})));
}

TEST(ProbeNumbers, DifferentSizes_DoNotAgree) {
  EXPECT_FALSE(ElementsAgree(DataType::kFp32, Bytes(std::vector<float>{1, 2}),
                             Bytes(std::vector<float>{1})));
}

}  // namespace
}  // namespace penstock
