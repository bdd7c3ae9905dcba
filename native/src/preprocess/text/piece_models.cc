#include "preprocess/text/piece_models.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "preprocess/text/bert_table.h"
#include "preprocess/text/byte_level_splitter.h"
#include "preprocess/text/word_piece.h"

namespace penstock::preprocess {
namespace {

// Words that the trie's values and the ids of tensors can hold.
constexpr std::size_t kWordsMax = 4'000'000;

Status CheckWords(const std::vector<VocabularyWord>& words) {
  if (words.size() > kWordsMax) {
    return InvalidArgument("a vocabulary of " + std::to_string(words.size()) + " words, at most " +
                           std::to_string(kWordsMax) + " are possible");
  }
  return {};
}

class WordPieceModel final : public PieceModel {
 public:
  WordPieceModel(const BertStages& stages, const std::vector<TrieEntry>& beginnings,
                 std::vector<TrieEntry> continuations, const WordPieceSpec& spec)
      : table_(stages),
        word_piece_(beginnings, std::move(continuations), spec.unknown_id,
                    static_cast<std::size_t>(spec.characters_max)) {}

  bool Append(std::string_view piece, std::size_t enough, TextScratch& scratch, IdBuffer* ids,
              std::size_t* failed_at) const override {
    BertSplitter& splitter = scratch.splitter;
    splitter.Begin(table_, piece);
    while (ids->count() < enough) {
      const WordSpans words = splitter.Next();
      if (words.starts.empty()) {
        if (splitter.failed()) {
          *failed_at = splitter.failed_at();
          return false;
        }
        if (splitter.done()) break;
        continue;
      }
      ids->SetEnd(word_piece_.Append(words, ids->Room(words.ends.back() - words.starts.front())));
    }
    return true;
  }

 private:
  const BertTable table_;
  const WordPiece word_piece_;
};

class ByteLevelModel final : public PieceModel {
 public:
  ByteLevelModel(const std::array<std::uint32_t, 256>& byte_ids, std::span<const PairMerge> merges,
                 std::span<const TrieEntry> words, bool add_prefix_space)
      : byte_pair_(byte_ids, merges, words), add_prefix_space_(add_prefix_space) {}

  bool Append(std::string_view piece, std::size_t enough, TextScratch& scratch, IdBuffer* ids,
              std::size_t* failed_at) const override {
    const auto* at = reinterpret_cast<const std::uint8_t*>(piece.data());
    const std::uint8_t* end = at + piece.size();
    std::size_t added = 0;
    if (add_prefix_space_ && !piece.starts_with(' ')) {
      scratch.prefixed.assign(1, ' ').append(piece);
      at = reinterpret_cast<const std::uint8_t*>(scratch.prefixed.data());
      end = at + scratch.prefixed.size();
      added = 1;
    }
    const std::uint8_t* const begin = at;
    while (at != end && ids->count() < enough) {
      const std::uint8_t* const behind = splitter_.EndOfPiece(at, end);
      if (behind == nullptr) {
        *failed_at = static_cast<std::size_t>(at - begin) - added;
        return false;
      }
      std::uint32_t* const to = ids->Room(static_cast<std::size_t>(behind - at));
      ids->SetEnd(byte_pair_.Append(at, behind, end, to, scratch.byte_pair));
      at = behind;
    }
    return true;
  }

 private:
  const ByteLevelSplitter splitter_;
  const BytePair byte_pair_;
  const bool add_prefix_space_;
};

}  // namespace

Result<std::unique_ptr<PieceModel>> MakeWordPieceModel(const WordPieceSpec& spec) {
  RETURN_IF_ERROR(CheckWords(spec.words));
  if (spec.characters_max < 0) return InvalidArgument("a negative length of words");
  std::vector<TrieEntry> beginnings;
  std::vector<TrieEntry> continuations;
  const std::string& prefix = spec.continuing_prefix;
  for (const VocabularyWord& word : spec.words) {
    if (word.text.empty()) continue;
    // A word with the prefix also begins one, should a text hold it so.
    beginnings.push_back({.key = word.text, .value = word.id});
    if (word.text.size() > prefix.size() && word.text.starts_with(prefix)) {
      continuations.push_back(
          {.key = std::string_view(word.text).substr(prefix.size()), .value = word.id});
    }
  }
  const BertStages stages{.clean_text = spec.clean_text,
                          .handle_chinese_chars = spec.handle_chinese_chars,
                          .strip_accents = spec.strip_accents,
                          .lowercase = spec.lowercase};
  return std::unique_ptr<PieceModel>(
      std::make_unique<WordPieceModel>(stages, beginnings, std::move(continuations), spec));
}

Result<std::unique_ptr<PieceModel>> MakeByteLevelModel(const ByteLevelBpeSpec& spec) {
  RETURN_IF_ERROR(CheckWords(spec.words));
  if (spec.merges.size() > kWordsMax) return InvalidArgument("too many merges");
  std::array<std::uint32_t, 256> byte_ids;
  byte_ids.fill(kNoId);
  std::vector<TrieEntry> words;
  for (const VocabularyWord& word : spec.words) {
    if (word.text.empty()) continue;
    words.push_back({.key = word.text, .value = word.id});
    if (word.text.size() == 1) byte_ids[static_cast<std::uint8_t>(word.text[0])] = word.id;
  }
  for (std::size_t byte = 0; byte < byte_ids.size(); ++byte) {
    if (byte_ids[byte] == kNoId) {
      return InvalidArgument("the vocabulary lacks byte " + std::to_string(byte));
    }
  }
  std::vector<PairMerge> merges;
  merges.reserve(spec.merges.size());
  for (const VocabularyMerge& merge : spec.merges) {
    merges.push_back({.left = merge.left, .right = merge.right, .result = merge.result});
  }
  return std::unique_ptr<PieceModel>(
      std::make_unique<ByteLevelModel>(byte_ids, merges, words, spec.add_prefix_space));
}

}  // namespace penstock::preprocess
