#include "preprocess/image/jpeg_huffman.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace penstock::preprocess {
namespace {

using Counts = std::array<std::uint8_t, 16>;
using Kind = HuffmanTable::Kind;

// The codes 0, 10 and 110 0000 0000 0000: zero, four bits, and 15 bits.
constexpr Counts kDcCounts = {1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr std::array<std::uint8_t, 3> kDcSymbols = {0, 4, 15};
// 0: the block ends; 10: four bits at once; 110: 16 zeros; 1110: one bit, behind 15 zeros.
constexpr Counts kAcCounts = {1, 1, 1, 1};
constexpr std::array<std::uint8_t, 4> kAcSymbols = {0x00, 0x04, 0xF0, 0xF1};

class HuffmanDecoding : public testing::Test {
 protected:
  HuffmanDecoding() {
    EXPECT_TRUE(dc_.Build(Kind::kDc, kDcCounts, kDcSymbols));
    EXPECT_TRUE(ac_.Build(Kind::kAc, kAcCounts, kAcSymbols));
    decoder_.emplace(std::array{HuffmanDecoder::Block{.dc = &dc_, .ac = &ac_}});
  }

  // The bits, with ones behind them up to a whole byte, as a JPEG has them, and a marker.
  void Start(const std::string& bits) {
    data_.clear();
    for (std::size_t i = 0; i < bits.size(); i += 8) {
      std::string byte = bits.substr(i, 8);
      byte.resize(8, '1');
      data_.push_back(static_cast<std::uint8_t>(std::stoi(byte, nullptr, 2)));
      if (data_.back() == 0xFF) data_.push_back(0);
    }
    data_.insert(data_.end(), {0xFF, 0xD9});
    decoder_->Start(data_);
  }

  bool Decode() {
    block_.fill(0);
    std::int16_t* const block = block_.data();
    return decoder_->DecodeMcu(&block);
  }

  HuffmanTable dc_;
  HuffmanTable ac_;
  std::optional<HuffmanDecoder> decoder_;
  std::vector<std::uint8_t> data_;
  std::array<std::int16_t, 64> block_;
};

TEST_F(HuffmanDecoding, ValuesOfBothSigns_AreReadAndAddedUp) {
  Start(
      "101111"
      "0"
      "100000"
      "0"
      "0"
      "0");
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_[0], 15);
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_[0], 0);
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_[0], 0);
}

TEST_F(HuffmanDecoding, Coefficients_StandInNaturalOrder) {
  // Places 1, 2, 3 and, 16 and 15 zeros on, 35.
  Start(
      "0"
      "101000"
      "101001"
      "101010"
      "110"
      "11101"
      "0");
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_[1], 8);
  EXPECT_EQ(block_[8], 9);
  EXPECT_EQ(block_[16], 10);
  EXPECT_EQ(block_[7 * 8], 1);
}

TEST_F(HuffmanDecoding, CodeLongerThanALookUp_IsFound) {
  Start(
      "110000000000000"
      "100000000000000"
      "0");
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_[0], 16384);
}

// As libjpeg does: a code in no table takes 17 bits, and says zero or that the block ends.
TEST_F(HuffmanDecoding, UnknownCodes_SayNothing) {
  Start(
      "11111111111111111"
      "11111111111111111"
      "101111"
      "0");
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_, (std::array<std::int16_t, 64>{}));
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_[0], 15);
}

// Four times 16 places, and one more value: broken data, which go to the last place.
TEST_F(HuffmanDecoding, ValueBehindTheLastPlace_IsTheLasts) {
  Start(
      "0"
      "110"
      "110"
      "110"
      "101000"
      "11101"
      "0"
      "0");
  ASSERT_TRUE(Decode());
  EXPECT_EQ(block_[63], 1);
  ASSERT_TRUE(Decode());
}

TEST_F(HuffmanDecoding, DataThatEndInsideABlock_AreTold) {
  Start(
      "101111"
      "0"
      "1");
  EXPECT_TRUE(Decode());
  EXPECT_FALSE(Decode());
  EXPECT_FALSE(Decode()) << "nothing came after them";
}

TEST_F(HuffmanDecoding, RestBeginsAtTheMarker) {
  Start(
      "101111"
      "0");
  ASSERT_TRUE(Decode());
  EXPECT_EQ(decoder_->rest().size(), 2U);
  EXPECT_EQ(decoder_->rest()[1], 0xD9);
}

TEST_F(HuffmanDecoding, BlocksOfNoUse_AreReadOver) {
  decoder_.emplace(std::array{
      HuffmanDecoder::Block{.dc = &dc_, .ac = &ac_, .keeps_ac = false},
      HuffmanDecoder::Block{.dc = &dc_, .ac = &ac_, .component = 1, .keeps_any = false},
  });
  Start(
      "101111"
      "101111"
      "0"
      "101111"
      "101111"
      "0");
  std::array<std::array<std::int16_t, 64>, 2> blocks = {};
  const std::array<std::int16_t*, 2> pointers = {blocks[0].data(), blocks[1].data()};
  ASSERT_TRUE(decoder_->DecodeMcu(pointers.data()));
  EXPECT_EQ(blocks[0][0], 15);
  EXPECT_EQ(blocks[0][1], 0);
  EXPECT_EQ(blocks[1], (std::array<std::int16_t, 64>{}));
}

TEST(HuffmanTable, CodesThatCannotBe_AreRefused) {
  HuffmanTable table;
  EXPECT_FALSE(table.Build(Kind::kAc, Counts{2}, kAcSymbols)) << "a code of ones alone";
  EXPECT_FALSE(table.Build(Kind::kAc, Counts{1, 2}, kAcSymbols)) << "a code of ones alone";
  EXPECT_FALSE(table.Build(Kind::kAc, Counts{0, 0, 5}, kAcSymbols)) << "fewer symbols";
  EXPECT_FALSE(table.Build(Kind::kDc, Counts{1}, std::array<std::uint8_t, 1>{16}));
  EXPECT_TRUE(table.Build(Kind::kAc, Counts{1}, std::array<std::uint8_t, 1>{16}));
}

}  // namespace
}  // namespace penstock::preprocess
