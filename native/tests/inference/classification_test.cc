#include "inference/classification.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tensor/bytes.h"
#include "tensor/half.h"

namespace penstock {
namespace {

using Strings = std::vector<std::string>;

class ClassificationTest : public testing::Test {
 protected:
  template <typename T>
  Strings Classify(DataType dtype, const Shape& shape, const std::vector<T>& values,
                   const ClassifyOptions& options) {
    output_ = {
        .name = "y", .dtype = dtype, .shape = shape, .data = std::as_bytes(std::span(values))};
    memory_.clear();
    ClassifyOutput(options, output_, memory_);
    EXPECT_EQ(output_.dtype, DataType::kBytes);
    EXPECT_EQ(FindBytesFault(output_.data, *output_.shape.ElementCount()), "");
    Strings texts;
    for (BytesReader reader(output_.data); !reader.done();) {
      const std::span<const std::byte> text = reader.Next();
      texts.emplace_back(reinterpret_cast<const char*>(text.data()), text.size());
    }
    return texts;
  }

  wire::InferOutput output_;
  std::vector<std::byte> memory_;
};

TEST_F(ClassificationTest, LargestOfEachRow_AsValueIndexLabel) {
  const LabelList labels(Strings{"cat", "dog", "a:b"});
  EXPECT_EQ(Classify<float>(DataType::kFp32, {2, 3}, {0.25F, 0.5F, 0.25F, 1, 2, 3},
                            {.count = 2, .labels = &labels}),
            (Strings{"0.5:1:dog", "0.25:0:cat", "3:2:a:b", "2:1:dog"}));
  EXPECT_EQ(output_.shape, (Shape{2, 2}));
}

TEST_F(ClassificationTest, MoreThanThereAre_IsAllOfThem) {
  EXPECT_EQ(Classify<std::int64_t>(DataType::kInt64, {1, 2}, {-3, 4}, {.count = 1'000'000'000}),
            (Strings{"4:1", "-3:0"}));
  EXPECT_EQ(output_.shape, (Shape{1, 2}));
}

TEST_F(ClassificationTest, SeveralDimensions_AreOneRow) {
  EXPECT_EQ(Classify<std::uint8_t>(DataType::kUint8, {1, 2, 2}, {7, 9, 255, 1}, {.count = 2}),
            (Strings{"255:2", "9:1"}));
  EXPECT_EQ(output_.shape, (Shape{1, 2}));
}

TEST_F(ClassificationTest, NoBatch_IsOneRow) {
  EXPECT_EQ(Classify<double>(DataType::kFp64, {2, 2}, {1e300, 4e-7, 0, 5},
                             {.count = 3, .by_rows = false}),
            (Strings{"1e+300:0", "5:3", "4e-07:1"}));
  EXPECT_EQ(output_.shape, Shape{3});
}

TEST_F(ClassificationTest, RowsOfOneNumber_AreOneClass) {
  EXPECT_EQ(Classify<float>(DataType::kFp32, {2}, {3, 4}, {.count = 5}), (Strings{"3:0", "4:0"}));
  EXPECT_EQ(output_.shape, (Shape{2, 1}));
}

TEST_F(ClassificationTest, NoValues_NoClasses) {
  EXPECT_EQ(Classify<float>(DataType::kFp32, {2, 0}, {}, {.count = 5}), Strings{});
  EXPECT_EQ(output_.shape, (Shape{2, 0}));
}

TEST_F(ClassificationTest, HalvesAndNaN_ReadAsNumbers) {
  EXPECT_EQ(Classify<std::uint16_t>(DataType::kFp16, {1, 3}, {ToHalf(0.5F), 0x7E00, ToHalf(2)},
                                    {.count = 3}),
            (Strings{"2:2", "0.5:0", "nan:1"}));
  EXPECT_EQ(Classify<std::uint16_t>(DataType::kBf16, {1, 1}, {0x4040}, {.count = 1}),
            Strings{"3:0"});
}

TEST_F(ClassificationTest, Suitable_AreNumbers) {
  EXPECT_TRUE(CanClassify(DataType::kInt8));
  EXPECT_TRUE(CanClassify(DataType::kBf16));
  EXPECT_FALSE(CanClassify(DataType::kBool));
  EXPECT_FALSE(CanClassify(DataType::kBytes));
}

}  // namespace
}  // namespace penstock
