// Text into the ids that a language model takes, as HuggingFace's `tokenizers` does it: for a
// caller of its own (Tokenizer), and as a step before a model. Python reads tokenizer.json and
// fills TokenizerSpec; nothing here parses a file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <penstock/error.h>

namespace penstock {

class Transform;

// A word of a vocabulary, as bytes, and its id.
struct VocabularyWord {
  std::string text;
  std::uint32_t id = 0;
};

// Two ids that are joined where they are neighbours.
struct VocabularyMerge {
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  std::uint32_t result = 0;
};

// BERT's normaliser and pre-tokeniser, and WordPiece.
struct WordPieceSpec {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
  std::vector<VocabularyWord> words;
  std::string continuing_prefix;
  std::uint32_t unknown_id = 0;
  std::int64_t characters_max = 0;  // longer words are unknown
};

// GPT-2's splitting into pieces, and byte-pair encoding of their bytes.
struct ByteLevelBpeSpec {
  bool add_prefix_space = false;
  std::vector<VocabularyWord> words;    // all 256 bytes are among them
  std::vector<VocabularyMerge> merges;  // the first of them go first
};

// Found in the text before it is split: first those that are not `normalized`.
struct AddedTokenSpec {
  std::string content;
  std::uint32_t id = 0;
  bool lstrip = false;  // takes the white space before it, or behind it
  bool rstrip = false;
  bool normalized = false;
};

// What an encoding is put together from: given ids, or those of a text.
struct TemplatePart {
  enum class Kind : std::uint8_t { kIds, kFirst, kSecond };
  Kind kind = Kind::kIds;
  std::vector<std::uint32_t> ids;  // of kIds
  std::uint8_t type_id = 0;
};

enum class TextTruncation : std::uint8_t { kLongestFirst, kOnlyFirst, kOnlySecond };

struct TokenizerSpec {
  std::vector<AddedTokenSpec> added_tokens;
  std::variant<WordPieceSpec, ByteLevelBpeSpec> model;
  std::vector<TemplatePart> single;
  std::vector<TemplatePart> pair;
  std::int64_t length_max = 0;  // 0: whatever comes
  TextTruncation truncation = TextTruncation::kLongestFirst;
  bool truncate_left = false;
  std::int64_t text_bytes_max = 0;  // longer texts are refused
};

// Encodings one after another, without padding.
struct EncodedTexts {
  std::vector<std::uint32_t> ids;
  std::vector<std::uint8_t> type_ids;
  std::vector<std::size_t> ends;  // of each encoding, in ids and type_ids
};

// How encodings of different lengths become rows of one length: the longest's, at least
// `length_min`, a multiple of `multiple_of`.
struct TextPadding {
  std::int64_t length_min = 0;
  std::int64_t multiple_of = 1;
  std::uint32_t id = 0;
  std::uint8_t type_id = 0;
  bool left = false;  // before the ids, not behind them
};

enum class TextTensor : std::uint8_t { kIds, kMask, kTypeIds };

// The length of rows that hold all of `encoded`.
std::size_t PaddedLength(const EncodedTexts& encoded, const TextPadding& padding);
// Writes `length` elements for each encoding.
void FillPadded(const EncodedTexts& encoded, const TextPadding& padding, std::size_t length,
                TextTensor tensor, std::int64_t* to);

// Immutable; any number of threads may use it at once.
class Tokenizer {
 public:
  // Null where the spec is wrong.
  static std::unique_ptr<Tokenizer> Create(const TokenizerSpec& spec, Error* error);

  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;
  virtual ~Tokenizer() = default;

  // Replaces `encoded` by the encodings of texts, or of pairs where `second` is as long as `first`;
  // else it is empty. Stops at the first text that fails, which `error` names.
  virtual bool Encode(std::span<const std::string_view> first,
                      std::span<const std::string_view> second, EncodedTexts* encoded,
                      Error* error) const = 0;

 protected:
  Tokenizer() = default;
};

struct TokenizeStep {
  TokenizerSpec tokenizer;
  TextPadding padding;
  std::vector<TextTensor> outputs;  // at least one; each once
  bool pairs = false;               // takes two texts of a row, not one
  std::string datatype;             // "INT64" or "INT32", of each output
};

// For a pipeline: BYTES [rows], or two of them, become tensors of [rows, longest]. Null where the
// spec is wrong.
std::shared_ptr<const Transform> MakeTokenizeTransform(const TokenizeStep& step, Error* error);

}  // namespace penstock
