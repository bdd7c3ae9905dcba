#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <limits>

namespace penstock {
namespace {

constexpr std::int64_t kInt64Max = std::numeric_limits<std::int64_t>::max();

TEST(DataType, EveryProtocolName_RoundTripsWithItsSize) {
  const struct {
    std::string_view name;
    DataType type;
    std::size_t size_bytes;
  } kRows[] = {
      {"BOOL", DataType::kBool, 1},     {"UINT8", DataType::kUint8, 1},
      {"UINT16", DataType::kUint16, 2}, {"UINT32", DataType::kUint32, 4},
      {"UINT64", DataType::kUint64, 8}, {"INT8", DataType::kInt8, 1},
      {"INT16", DataType::kInt16, 2},   {"INT32", DataType::kInt32, 4},
      {"INT64", DataType::kInt64, 8},   {"FP16", DataType::kFp16, 2},
      {"FP32", DataType::kFp32, 4},     {"FP64", DataType::kFp64, 8},
      {"BF16", DataType::kBf16, 2},     {"BYTES", DataType::kBytes, 0},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(DataTypeName(row.type), row.name);
    EXPECT_EQ(DataTypeFromName(row.name), row.type) << row.name;
    EXPECT_EQ(DataTypeSize(row.type), row.size_bytes) << row.name;
  }
}

TEST(DataType, UnknownName_IsInvalid) {
  for (const std::string_view name : {"", "fp32", "FP32 ", "INVALID", "STRING"}) {
    EXPECT_EQ(DataTypeFromName(name), DataType::kInvalid) << name;
  }
  EXPECT_EQ(DataTypeName(DataType::kInvalid), "INVALID");
  EXPECT_EQ(DataTypeSize(DataType::kInvalid), 0U);
}

TEST(Shape, ElementCount_MultipliesDimensions) {
  EXPECT_EQ(Shape().ElementCount(), 1);  // a scalar
  EXPECT_EQ((Shape{3, 224, 224}).ElementCount(), 150528);
  EXPECT_EQ((Shape{kInt64Max}).ElementCount(), kInt64Max);
}

TEST(Shape, ElementCount_FreeDimension_IsNothing) {
  EXPECT_EQ((Shape{-1, 64}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{0, -1}).ElementCount(), std::nullopt);
}

TEST(Shape, ElementCount_Overflow_IsNothing) {
  EXPECT_EQ((Shape{kInt64Max, 2}).ElementCount(), std::nullopt);
  EXPECT_EQ((Shape{1LL << 32, 1LL << 32}).ElementCount(), std::nullopt);
  // Overflows twice, and wraps to a small positive number.
  EXPECT_EQ((Shape{(1LL << 62) + 1, 4, 2}).ElementCount(), std::nullopt);
}

TEST(Shape, ElementCount_ZeroBesideOverflow_IsZero) {
  EXPECT_EQ((Shape{kInt64Max, 2, 0}).ElementCount(), 0);
  EXPECT_EQ((Shape{0, kInt64Max, 2}).ElementCount(), 0);
}

TEST(Shape, Equality_ComparesOnlyWhatIsInUse) {
  Shape a{1, 2, 3};
  Shape b{1, 2, 4};
  EXPECT_FALSE(a == b);
  b.Set(2, 3);
  EXPECT_TRUE(a == b);
  b.Append(1);
  EXPECT_FALSE(a == b);
  a.Clear();
  b.Clear();
  EXPECT_TRUE(a == b);
}

TEST(Shape, ToString_ReadsAsInMessages) {
  EXPECT_EQ(Shape().ToString(), "[]");
  EXPECT_EQ((Shape{1, 64}).ToString(), "[1,64]");
  EXPECT_EQ((Shape{-1}).ToString(), "[-1]");
}

TEST(ShapeDeathTest, NinthDimension_IsOurBug) {
  EXPECT_DEATH((Shape{1, 2, 3, 4, 5, 6, 7, 8, 9}), "CHECK failed");
}

}  // namespace
}  // namespace penstock
