// What HuggingFace `tokenizers` does to each code point, stage by stage, as found by asking it
// (scripts/generate_unicode.py). Constant data; knows nothing of how the stages are combined.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace penstock::preprocess {

inline constexpr char32_t kCodePointEnd = 0x110000;

// Precomposed Hangul syllables, whose decomposition is computed (Unicode, section 3.12).
inline constexpr char32_t kHangulFirst = 0xAC00;
inline constexpr char32_t kHangulLast = 0xD7A3;

struct CodePointRange {
  char32_t first;
  char32_t last;
};

struct CodePointMapping {
  char32_t from;
  std::array<char32_t, 4> to;  // ends at 0
};

struct CombiningClass {
  char32_t mark;
  std::uint8_t value;
};

struct UnicodeTables {
  // Cleaning: dropped, and made into a space. The rest stays.
  std::span<const CodePointRange> bert_dropped;
  std::span<const CodePointRange> bert_spaced;
  // Words of one character each, decided before accents are stripped.
  std::span<const CodePointRange> bert_ideographs;
  // Marks that go with the accents; of those, the ones with combining class 0.
  std::span<const CodePointRange> bert_stripped;
  std::span<const CodePointRange> bert_stripped_starters;
  // How words are split.
  std::span<const CodePointRange> bert_whitespace;
  std::span<const CodePointRange> bert_punctuation;
  // The classes \p{L}, \p{N} and \s of GPT-2's pattern.
  std::span<const CodePointRange> byte_level_letters;
  std::span<const CodePointRange> byte_level_numbers;
  std::span<const CodePointRange> byte_level_whitespace;
  // Combining classes other than 0 of code points that survive the stripping.
  std::span<const CombiningClass> surviving_marks;
  // Canonical decompositions, complete and in order, without Hangul.
  std::span<const CodePointMapping> decompositions;
  std::span<const CodePointMapping> lowercase;
};

extern const UnicodeTables kUnicode;

}  // namespace penstock::preprocess
