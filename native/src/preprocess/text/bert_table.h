// What BERT's normaliser and pre-tokeniser together make of each code point: cleaning, room around
// ideographs, decomposition, stripping of accents, lower case and splitting, folded into one entry
// for each code point. All stages work on single code points, but for the canonical order of marks,
// which is kept in the steps of the entries that can disturb it. Constant after construction.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "preprocess/text/code_point_table.h"

namespace penstock::preprocess {

// As in HuggingFace's BertNormalizer.
struct BertStages {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;
  bool lowercase = true;
};

enum class BertAction : std::uint8_t {
  kWord,          // the entry's bytes, 0 to 3 of them, belong to a word
  kIsolated,      // the entry's bytes are a word of their own
  kSpace,         // ends a word
  kWordCopy,      // as kWord, with the bytes of the text
  kIsolatedCopy,  // as kIsolated, with the bytes of the text
  kHangul,        // a syllable becomes its two or three letters
  kBarrier,       // nothing stays, but marks do not move past it
  kSteps,         // several of the above, in turn
};

// action: 3 bits, count of bytes: 2 bits, three unused; then 3 bytes, or the number of the first
// step.
struct BertEntry {
  std::uint32_t bits = 0;

  static BertEntry Of(BertAction action, std::uint32_t payload = 0, std::uint32_t length = 0) {
    return {static_cast<std::uint32_t>(action) | length << 3 | payload << 8};
  }
  BertAction action() const { return static_cast<BertAction>(bits & 7U); }
  std::uint32_t length() const { return bits >> 3 & 3U; }
  std::uint32_t payload() const { return bits >> 8; }
};

struct BertStep {
  char32_t code_point = 0;
  BertAction action = BertAction::kSpace;  // kWord, kIsolated, kSpace or kBarrier
  std::uint8_t combining_class = 0;        // of a mark that stays
  bool last = false;
};

class BertTable final {
 public:
  explicit BertTable(const BertStages& stages);

  BertEntry operator[](char32_t code_point) const { return {entries_[code_point]}; }
  const BertStep* steps(BertEntry entry) const { return &steps_[entry.payload()]; }
  // Of a code point that stands in normalised text; 0 for those that marks do not move past.
  static std::uint8_t CombiningClassOf(char32_t code_point);
  // No code point becomes more bytes than this.
  static constexpr std::size_t kExpansionMax = 24;
  bool lowercase() const { return lowercase_; }

 private:
  bool lowercase_;
  CodePointTable entries_;
  std::vector<BertStep> steps_;
};

}  // namespace penstock::preprocess
