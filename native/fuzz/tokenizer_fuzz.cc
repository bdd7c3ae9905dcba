// Text of a peer, on its way to ids. The first byte of an input chooses the stages of the
// tokenizer, the second where a pair is divided; the rest is the text. Whatever the text is, a
// scratch that was used before gives the same as a fresh one, and no id is one that the vocabulary
// does not have.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "fuzz/fuzz_input.h"
#include "preprocess/text/text_encoder.h"

namespace penstock::preprocess {
namespace {

constexpr std::size_t kKinds = 32;  // 16 choices of BERT's stages, and byte-level BPE twice

TokenizerSpec CommonSpec() {
  TokenizerSpec spec;
  const TemplatePart first{.kind = TemplatePart::Kind::kFirst};
  const TemplatePart second{.kind = TemplatePart::Kind::kSecond, .type_id = 1};
  const TemplatePart end{.ids = {2}};
  spec.single = {first, end};
  spec.pair = {first, end, second, end};
  spec.added_tokens = {{.content = "[SEP]", .id = 2},
                       {.content = "[S", .id = 3, .rstrip = true},
                       {.content = "<m>", .id = 4, .lstrip = true}};
  spec.text_bytes_max = 1 << 16;
  return spec;
}

TokenizerSpec WordPieceOf(std::size_t kind) {
  TokenizerSpec spec = CommonSpec();
  WordPieceSpec model{.clean_text = (kind & 1) != 0,
                      .handle_chinese_chars = (kind & 2) != 0,
                      .strip_accents = (kind & 4) != 0,
                      .lowercase = (kind & 8) != 0,
                      .continuing_prefix = "##",
                      .unknown_id = 0,
                      .characters_max = 20};
  for (const char* const word : {"[UNK]", "[CLS]", "[SEP]", "a", "##a", "the", "##e", "!", "the##",
                                 "\xC3\xA9", "##\xE4\xB8\xAD", "\xE1\x84\x92", "##\xE1\x85\xA1"}) {
    model.words.push_back({.text = word, .id = static_cast<std::uint32_t>(model.words.size())});
  }
  spec.model = std::move(model);
  spec.length_max = 50;
  return spec;
}

TokenizerSpec ByteLevelOf(bool add_prefix_space) {
  TokenizerSpec spec = CommonSpec();
  ByteLevelBpeSpec model{.add_prefix_space = add_prefix_space};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    model.words.push_back({.text = std::string(1, static_cast<char>(byte)), .id = byte});
  }
  const auto merge = [&model](std::uint32_t left, std::uint32_t right) {
    const auto result = static_cast<std::uint32_t>(model.words.size());
    model.words.push_back({.text = model.words[left].text + model.words[right].text, .id = result});
    model.merges.push_back({.left = left, .right = right, .result = result});
  };
  merge('a', 'a');
  merge(256, 256);
  merge('t', 'h');
  merge(258, 'e');
  merge(' ', 259);
  merge(0xE4, 0xB8);
  merge('a', 't');
  spec.model = std::move(model);
  return spec;
}

const TextEncoder& EncoderOf(std::size_t kind) {
  static std::array<std::unique_ptr<TextEncoder>, kKinds>& made =
      *new std::array<std::unique_ptr<TextEncoder>, kKinds>();
  if (made[kind] == nullptr) {
    Result<std::unique_ptr<TextEncoder>> encoder =
        TextEncoder::Create(kind < 16 ? WordPieceOf(kind) : ByteLevelOf(kind % 2 == 0));
    CHECK(encoder.ok());
    made[kind] = std::move(encoder).value();
  }
  return *made[kind];
}

void Run(FuzzInput input) {
  const std::size_t kind = input.Byte() % kKinds;
  const std::size_t division = input.Byte();
  // Copies of exactly its size, so that a sanitizer sees a byte read past its end.
  const std::string first(input.Bytes(division % 2 == 0 ? division : SIZE_MAX));
  const std::string second(input.Bytes(SIZE_MAX));
  const std::string_view pair = second;
  const std::string_view* const other = division % 2 == 0 ? &pair : nullptr;
  static TextScratch& used = *new TextScratch();
  TextScratch fresh;
  EncodedTexts encoded;
  EncodedTexts encoded_again;
  const TextEncoder& encoder = EncoderOf(kind);
  const Status status = encoder.Encode(first, other, fresh, &encoded);
  const Status again = encoder.Encode(first, other, used, &encoded_again);
  CHECK_EQ(status.ok(), again.ok());
  CHECK(status.message() == again.message());
  CHECK(encoded.ids == encoded_again.ids);
  CHECK_EQ(encoded.ids.size(), encoded.type_ids.size());
  CHECK(std::ranges::all_of(encoded.ids, [](std::uint32_t id) { return id < 263; }));
  if (kind < 16) CHECK_LE(encoded.ids.size(), 50U);
}

}  // namespace
}  // namespace penstock::preprocess

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  penstock::preprocess::Run(penstock::FuzzInput(data, size));
  return 0;
}
