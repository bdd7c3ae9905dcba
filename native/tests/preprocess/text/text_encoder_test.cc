// From text to ids with a small vocabulary: errors, truncation, reuse of a scratch. That ids are
// those of HuggingFace's library is tests/conformance/test_tokenizer.py's matter.
#include "preprocess/text/text_encoder.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::preprocess {
namespace {

using Ids = std::vector<std::uint32_t>;
constexpr std::uint32_t kUnknown = 0;
constexpr std::uint32_t kStart = 1;
constexpr std::uint32_t kEnd = 2;

TokenizerSpec SmallSpec() {
  TokenizerSpec spec;
  WordPieceSpec model{.continuing_prefix = "##", .unknown_id = kUnknown, .characters_max = 10};
  const std::vector<std::string> words = {"[UNK]", "[CLS]", "[SEP]", "a",        "b",         "c",
                                          "##a",   "##bc",  "!",     "\xCE\xB1", "longerword"};
  for (const std::string& word : words) {
    model.words.push_back({.text = word, .id = static_cast<std::uint32_t>(model.words.size())});
  }
  spec.model = std::move(model);
  spec.added_tokens.push_back({.content = "[SEP]", .id = kEnd});
  const TemplatePart start{.ids = {kStart}};
  const TemplatePart end{.ids = {kEnd}};
  const TemplatePart second_end{.ids = {kEnd}, .type_id = 1};
  const TemplatePart first{.kind = TemplatePart::Kind::kFirst};
  const TemplatePart second{.kind = TemplatePart::Kind::kSecond, .type_id = 1};
  spec.single = {start, first, end};
  spec.pair = {start, first, end, second, second_end};
  spec.text_bytes_max = 100'000;
  return spec;
}

// The ids of a text, or of a pair, which must be taken.
Ids Encode(const TokenizerSpec& spec, std::string_view first,
           const std::string_view* second = nullptr) {
  Result<std::unique_ptr<TextEncoder>> encoder = TextEncoder::Create(spec);
  EXPECT_TRUE(encoder.ok()) << encoder.status().ToString();
  TextScratch scratch;
  EncodedTexts encoded;
  const Status status = (*encoder)->Encode(first, second, scratch, &encoded);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(encoded.type_ids.size(), encoded.ids.size());
  return encoded.ids;
}

std::string Refused(const TokenizerSpec& spec, std::string_view first,
                    const std::string_view* second = nullptr) {
  Result<std::unique_ptr<TextEncoder>> encoder = TextEncoder::Create(spec);
  if (!encoder.ok()) return std::string(encoder.status().message());
  TextScratch scratch;
  EncodedTexts encoded;
  const Status status = (*encoder)->Encode(first, second, scratch, &encoded);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(encoded.ids.empty());
  return std::string(status.message());
}

TEST(TextEncoder, WordsAndPieces_BecomeIds) {
  EXPECT_EQ(Encode(SmallSpec(), "A abc!x"), (Ids{kStart, 3, 3, 7, 8, kUnknown, kEnd}));
  EXPECT_EQ(Encode(SmallSpec(), "\xCE\x91 longerword longerwordaa"),
            (Ids{kStart, 9, 10, kUnknown, kEnd}));
  EXPECT_EQ(Encode(SmallSpec(), ""), (Ids{kStart, kEnd}));
  EXPECT_EQ(Encode(SmallSpec(), "a[SEP]a"), (Ids{kStart, 3, kEnd, 3, kEnd}));
}

TEST(TextEncoder, WordAcrossBlocksAndPortions_StaysOne) {
  for (const std::size_t spaces : {55U, 60U, 63U, 64U, 4'089U, 4'095U, 4'096U}) {
    EXPECT_EQ(Encode(SmallSpec(), std::string(spaces, ' ') + "LongerWord a"),
              (Ids{kStart, 10, 3, kEnd}))
        << spaces;
  }
}

TEST(TextEncoder, TextThatIsNotUtf8_IsRefusedWithItsPlace) {
  const TokenizerSpec spec = SmallSpec();
  EXPECT_EQ(Refused(spec, "a[SEP]ab\xFF"), "the text is not UTF-8: byte 255 at offset 8");
  for (const std::string_view broken :
       {"\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF0\x9F\x98",
        "\x80", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_NE(Refused(spec, broken).find("not UTF-8"), std::string::npos);
    const std::string late = std::string(5'000, 'a') + std::string(broken);
    EXPECT_NE(Refused(spec, late).find("at offset 5000"), std::string::npos);
  }
}

TEST(TextEncoder, TextThatIsTooLong_IsRefused) {
  TokenizerSpec spec = SmallSpec();
  spec.text_bytes_max = 3;
  EXPECT_EQ(Refused(spec, "abcd"), "the text has 4 bytes, at most 3 are taken");
}

TEST(TextEncoder, LongestFirst_CutsAsDeclared) {
  TokenizerSpec spec = SmallSpec();
  spec.length_max = 8;  // five for the texts of a pair
  const std::string_view two = "b b";
  EXPECT_EQ(Encode(spec, "a a a a a a a a"), (Ids{kStart, 3, 3, 3, 3, 3, 3, kEnd}));
  EXPECT_EQ(Encode(spec, "a a a a a", &two), (Ids{kStart, 3, 3, 3, kEnd, 4, 4, kEnd}));
  spec.truncate_left = true;
  EXPECT_EQ(Encode(spec, "c c a a a a a a"), (Ids{kStart, 3, 3, 3, 3, 3, 3, kEnd}));
}

TEST(TextEncoder, OnlyOneMayBeCut_OtherIsRefused) {
  TokenizerSpec spec = SmallSpec();
  spec.length_max = 6;
  spec.truncation = TextTruncation::kOnlySecond;
  const std::string_view three = "b b b";
  EXPECT_EQ(Encode(spec, "a", &three), (Ids{kStart, 3, kEnd, 4, 4, kEnd}));
  EXPECT_EQ(Refused(spec, "a a a a a", &three),
            "the second text has 3 ids, of which 5 are too many");
  EXPECT_EQ(Refused(spec, "a a a a a"), "only the second text is to be cut, and there is none");
}

TEST(TextEncoder, SpecWithoutRoom_IsRefused) {
  TokenizerSpec spec = SmallSpec();
  spec.length_max = 2;
  EXPECT_EQ(Refused(spec, ""),
            "a length of at most 2 has no room for the 3 ids that the template adds");
  spec = SmallSpec();
  spec.model = ByteLevelBpeSpec{.words = {{.text = std::string(1, '\0'), .id = 0}}};
  EXPECT_EQ(Refused(spec, ""), "the vocabulary lacks byte 1");
}

}  // namespace
}  // namespace penstock::preprocess
