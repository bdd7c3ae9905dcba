// Typed contents written by another library, packed and one by one.
#include "wire/typed_contents.h"

#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include <cstring>
#include <limits>

#include "support/random_source.h"
#include "support/strings.h"

namespace penstock::wire {
namespace {

using protozero::pbf_writer;

std::span<const std::byte> BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// The converted elements, or nothing where either step refuses; `error` then has the sentence.
std::vector<std::byte> Convert(const std::string& contents, DataType dtype, std::string& error) {
  error.clear();
  const Result<ContentsSize> size = MeasureContents(BytesOf(contents), dtype);
  if (!size.ok()) {
    EXPECT_EQ(size.status().code(), StatusCode::kInvalidArgument);
    error = size.status().message();
    return {};
  }
  std::vector<std::byte> bytes(size.value().byte_count);
  const Status status = ConvertContents(BytesOf(contents), dtype, bytes);
  if (!status.ok()) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    error = status.message();
    return {};
  }
  return bytes;
}

template <typename Element>
std::vector<Element> Numbers(const std::string& contents, DataType dtype) {
  std::string error;
  const std::vector<std::byte> bytes = Convert(contents, dtype, error);
  EXPECT_EQ(error, "");
  std::vector<Element> numbers(bytes.size() / sizeof(Element));
  if (!bytes.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

std::string ErrorOf(const std::string& contents, DataType dtype) {
  std::string error;
  Convert(contents, dtype, error);
  return error;
}

// The smallest and largest numbers, in a packed field and then one by one, as both forms may mix.
template <typename Element, typename Wire>
void ExpectBothForms(DataType dtype, void (pbf_writer::*one)(protozero::pbf_tag_type, Wire),
                     protozero::pbf_tag_type tag) {
  SCOPED_TRACE(DataTypeName(dtype));
  const std::vector<Element> numbers = {std::numeric_limits<Element>::lowest(), Element{0},
                                        Element{1}, std::numeric_limits<Element>::max()};
  std::string contents;
  pbf_writer writer(contents);
  if constexpr (std::is_same_v<Wire, float>) {
    writer.add_packed_float(tag, numbers.begin(), numbers.end());
  } else if constexpr (std::is_same_v<Wire, double>) {
    writer.add_packed_double(tag, numbers.begin(), numbers.end());
  } else if constexpr (std::is_signed_v<Wire>) {
    writer.add_packed_int64(tag, numbers.begin(), numbers.end());
  } else {
    writer.add_packed_uint64(tag, numbers.begin(), numbers.end());
  }
  for (const Element number : numbers) (writer.*one)(tag, number);
  std::vector<Element> expected = numbers;
  expected.insert(expected.end(), numbers.begin(), numbers.end());
  EXPECT_EQ(Numbers<Element>(contents, dtype), expected);
}

TEST(TypedContentsTest, EveryNumericType_IsReadPackedAndOneByOne) {
  ExpectBothForms<std::int8_t>(DataType::kInt8, &pbf_writer::add_int32, 2);
  ExpectBothForms<std::int16_t>(DataType::kInt16, &pbf_writer::add_int32, 2);
  ExpectBothForms<std::int32_t>(DataType::kInt32, &pbf_writer::add_int32, 2);
  ExpectBothForms<std::int64_t>(DataType::kInt64, &pbf_writer::add_int64, 3);
  ExpectBothForms<std::uint8_t>(DataType::kUint8, &pbf_writer::add_uint32, 4);
  ExpectBothForms<std::uint16_t>(DataType::kUint16, &pbf_writer::add_uint32, 4);
  ExpectBothForms<std::uint32_t>(DataType::kUint32, &pbf_writer::add_uint32, 4);
  ExpectBothForms<std::uint64_t>(DataType::kUint64, &pbf_writer::add_uint64, 5);
  ExpectBothForms<float>(DataType::kFp32, &pbf_writer::add_float, 6);
  ExpectBothForms<double>(DataType::kFp64, &pbf_writer::add_double, 7);
}

TEST(TypedContentsTest, Bools_AreOneByteEach) {
  std::string contents;
  pbf_writer writer(contents);
  const std::vector<std::uint64_t> packed = {1, 0, 300};  // any number but 0 is true
  writer.add_packed_uint64(1, packed.begin(), packed.end());
  writer.add_bool(1, true);
  EXPECT_EQ(Numbers<std::uint8_t>(contents, DataType::kBool),
            (std::vector<std::uint8_t>{1, 0, 1, 1}));
}

TEST(TypedContentsTest, Strings_BecomeTheirWireForm) {
  const std::vector<std::string> strings = {"a", "", std::string("\0\xff", 2)};
  std::string contents;
  pbf_writer writer(contents);
  for (const std::string& text : strings) writer.add_bytes(8, text);
  std::string error;
  EXPECT_EQ(StringsOf(Convert(contents, DataType::kBytes, error)), strings);
  EXPECT_EQ(error, "");
}

TEST(TypedContentsTest, NumbersOutOfRange_AreNamedWithTheirPlace) {
  const auto packed = [](protozero::pbf_tag_type tag, const std::vector<std::int64_t>& numbers) {
    std::string contents;
    pbf_writer(contents).add_packed_int64(tag, numbers.begin(), numbers.end());
    return contents;
  };
  EXPECT_EQ(ErrorOf(packed(2, {1, 128}), DataType::kInt8),
            "element 1 of int_contents is 128, INT8 holds -128 to 127");
  EXPECT_EQ(ErrorOf(packed(2, {-129}), DataType::kInt8),
            "element 0 of int_contents is -129, INT8 holds -128 to 127");
  EXPECT_EQ(ErrorOf(packed(2, {0, 0, 32768}), DataType::kInt16),
            "element 2 of int_contents is 32768, INT16 holds -32768 to 32767");
  EXPECT_EQ(ErrorOf(packed(4, {256}), DataType::kUint8),
            "element 0 of uint_contents is 256, UINT8 holds 0 to 255");
  EXPECT_EQ(ErrorOf(packed(4, {65536}), DataType::kUint16),
            "element 0 of uint_contents is 65536, UINT16 holds 0 to 65535");
}

TEST(TypedContentsTest, FieldOfAnotherType_IsRefused) {
  std::string contents;
  pbf_writer writer(contents);
  writer.add_float(6, 1);
  writer.add_int64(3, 7);
  EXPECT_EQ(ErrorOf(contents, DataType::kFp32),
            "FP32 travels in fp32_contents, int64_contents is given");
  EXPECT_EQ(ErrorOf(contents, DataType::kBytes),
            "BYTES travels in bytes_contents, fp32_contents is given");
  EXPECT_EQ(ErrorOf("", DataType::kFp16), "FP16 has no typed contents; use raw_input_contents");
  EXPECT_EQ(ErrorOf("", DataType::kBf16), "BF16 has no typed contents; use raw_input_contents");
}

TEST(TypedContentsTest, EmptyAndUnknownFields_AreNothing) {
  std::string contents;
  pbf_writer writer(contents);
  const std::vector<std::int64_t> none;
  writer.add_packed_int64(3, none.begin(), none.end());
  writer.add_string(99, "later");
  writer.add_fixed32(3, 1);  // a known field of another wire type
  EXPECT_EQ(Numbers<float>(contents, DataType::kFp32), std::vector<float>());
  EXPECT_EQ(Numbers<float>("", DataType::kFp32), std::vector<float>());
}

TEST(TypedContentsTest, MalformedBytes_AreRefused) {
  const std::vector<std::string> malformed = {
      std::string("\x32\x03\x00\x00\x00", 5),  // fp32 packed in three bytes
      std::string("\x1a\x01\xff", 3),          // int64 packed, its varint does not end
      std::string("\x1a\x0b" + std::string(10, '\xff') + "\x01"),  // a varint of 11 bytes
      "\x1a\x7f",                                                  // longer than the message
      "\xff",
  };
  for (const std::string& contents : malformed) {
    const DataType dtype = contents[0] == '\x32' ? DataType::kFp32 : DataType::kInt64;
    EXPECT_TRUE(ErrorOf(contents, dtype).starts_with("contents are no protobuf message: "))
        << ErrorOf(contents, dtype);
  }
}

// What was measured is what is written, and it grows by eight at most.
TEST(TypedContentsTest, ChangedAndRandomBytes_NeverReachOutside) {
  RandomSource random(RandomSource::Seed(3));
  std::string sample;
  pbf_writer writer(sample);
  const std::vector<std::int64_t> numbers = {1, -2, 300, 1 << 30};
  for (protozero::pbf_tag_type tag = 1; tag <= 5; ++tag) {
    writer.add_packed_int64(tag, numbers.begin(), numbers.end());
    writer.add_int64(tag, 5);
  }
  writer.add_float(6, 1);
  writer.add_bytes(8, "text");
  for (int i = 0; i < 50'000; ++i) {
    const std::size_t first = random.Below(sample.size());
    std::string contents = sample.substr(first, random.Below(sample.size() - first + 1));
    if (!contents.empty() && random.OneIn(2)) {
      contents[random.Below(contents.size())] = static_cast<char>(random.Below(256));
    }
    for (int type = 1; type <= static_cast<int>(DataType::kBytes); ++type) {
      const auto dtype = static_cast<DataType>(type);
      const Result<ContentsSize> size = MeasureContents(BytesOf(contents), dtype);
      if (!size.ok()) continue;
      ASSERT_LE(size.value().byte_count, 8 * contents.size());
      std::vector<std::byte> bytes(size.value().byte_count);
      if (!ConvertContents(BytesOf(contents), dtype, bytes).ok()) continue;
      if (dtype == DataType::kBytes) {
        ASSERT_EQ(FindBytesFault(bytes, size.value().element_count), "");
      }
    }
  }
}

}  // namespace
}  // namespace penstock::wire
