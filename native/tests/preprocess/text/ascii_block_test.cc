// The vectorised look at 64 bytes against its scalar twin.
#include "preprocess/text/ascii_block.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace penstock::preprocess {
namespace {

using Bytes = std::array<std::uint8_t, kBlockSize>;

void ExpectSame(const Bytes& bytes, bool lowercase) {
  Bytes lowered;
  Bytes lowered_by_twin;
  const AsciiBlock block = LookAtBlock(bytes.data(), lowercase, lowered.data());
  const AsciiBlock twin = LookAtBlockScalar(bytes.data(), lowercase, lowered_by_twin.data());
  EXPECT_EQ(block.word, twin.word);
  EXPECT_EQ(block.punctuation, twin.punctuation);
  EXPECT_EQ(block.other, twin.other);
  EXPECT_EQ(lowered, lowered_by_twin);
}

TEST(AsciiBlock, EveryByteAtEveryPlace_EqualsTheTwin) {
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t at = 0; at < kBlockSize; ++at) {
      Bytes bytes;
      bytes.fill('a');
      bytes[at] = static_cast<std::uint8_t>(byte);
      ExpectSame(bytes, (byte + at) % 2 == 0);
    }
  }
}

TEST(AsciiBlock, RandomBytes_EqualTheTwin) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 10'000; ++round) {
    Bytes bytes;
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random());
    ExpectSame(bytes, round % 2 == 0);
  }
}

TEST(AsciiBlockScalar, OneOfEach_IsTold) {
  Bytes bytes;
  bytes.fill(' ');
  bytes[0] = 'Q';
  bytes[1] = '9';
  bytes[2] = '-';
  bytes[3] = '\t';
  bytes[4] = 0x7F;
  bytes[5] = 0xC3;
  Bytes to;
  const AsciiBlock block = LookAtBlockScalar(bytes.data(), /*lowercase=*/true, to.data());
  EXPECT_EQ(block.word, 0b000011U);
  EXPECT_EQ(block.punctuation, 0b000100U);
  EXPECT_EQ(block.other, 0b110000U);
  EXPECT_EQ(to[0], 'q');
}

}  // namespace
}  // namespace penstock::preprocess
