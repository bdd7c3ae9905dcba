// The wire form of strings: what is right, and a sentence for everything that is not.
#include "tensor/bytes.h"

#include <gtest/gtest.h>

#include "support/random_source.h"
#include "support/strings.h"

namespace penstock {
namespace {

using std::string_literals::operator""s;

const std::vector<std::string> kStrings = {"one", "", "a\0b"s, "\xff\xfe", std::string(300, 'x')};

TEST(BytesTest, Elements_ComeBackWithNulAndAnyByte) {
  const std::vector<std::byte> data = BytesOf(kStrings);
  EXPECT_EQ(data.size(), 3 + 0 + 3 + 2 + 300 + 5 * kBytesLengthSize);
  EXPECT_EQ(FindBytesFault(data, 5), "");
  EXPECT_EQ(StringsOf(data), kStrings);
}

TEST(BytesTest, NoElements_AreNoBytes) {
  EXPECT_EQ(FindBytesFault({}, 0), "");
  EXPECT_TRUE(BytesReader({}).done());
}

TEST(BytesTest, Faults_SayElementOffsetAndWhatIsThere) {
  const std::vector<std::byte> data = BytesOf({"abc", "de"});  // 7 and 6 bytes
  const auto fault = [&data](std::size_t size, std::int64_t count) {
    return FindBytesFault(std::span(data).first(size), count);
  };
  EXPECT_EQ(fault(13, 3), "ends after 2 of 3 elements");
  EXPECT_EQ(fault(0, 1), "ends after 0 of 1 elements");
  EXPECT_EQ(fault(12, 2), "element 1 at offset 7 declares 2 bytes, 1 are left");
  EXPECT_EQ(fault(11, 2), "element 1 at offset 7 declares 2 bytes, 0 are left");
  EXPECT_EQ(fault(10, 2), "element 1 at offset 7 needs a length of 4 bytes, 3 are left");
  EXPECT_EQ(fault(8, 2), "element 1 at offset 7 needs a length of 4 bytes, 1 is left");
  EXPECT_EQ(fault(13, 1), "has 6 bytes after its 1 element, at offset 7");
  EXPECT_EQ(fault(13, 0), "has 13 bytes after its 0 elements, at offset 0");
  const std::vector<std::byte> lying(4, std::byte{0xff});
  EXPECT_EQ(FindBytesFault(lying, 1),
            "element 0 at offset 0 declares 4294967295 bytes, 0 are left");
  // More elements than any data can hold end the walk at the data's end.
  EXPECT_EQ(FindBytesFault(data, std::int64_t{1} << 62),
            "ends after 2 of 4611686018427387904 elements");
}

// Whatever is found right is walked to exactly its end; a sanitizer sees what reads past it.
TEST(BytesTest, ChangedBytes_AreRefusedOrWalkedToTheirEnd) {
  RandomSource random(RandomSource::Seed(11));
  const std::vector<std::byte> good = BytesOf({"a", "", "bcd", "efghi"});
  for (int i = 0; i < 20'000; ++i) {
    std::vector<std::byte> data(good.begin(),
                                good.begin() + static_cast<std::ptrdiff_t>(random.Below(25) + 1));
    data[random.Below(data.size())] = static_cast<std::byte>(random.Below(8));
    const auto count = static_cast<std::int64_t>(random.Below(6));
    if (!FindBytesFault(data, count).empty()) continue;
    EXPECT_EQ(static_cast<std::int64_t>(StringsOf(data).size()), count);
  }
}

}  // namespace
}  // namespace penstock
