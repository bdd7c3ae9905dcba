// GPT-2's pattern by hand: where byte-level BPE cuts a text into pieces before it merges.
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Checks on its way that the text is UTF-8. Constant after construction; any thread.
#pragma once

#include <array>
#include <cstdint>

#include "preprocess/text/code_point_table.h"

namespace penstock::preprocess {

class ByteLevelSplitter final {
 public:
  ByteLevelSplitter();

  // Where the piece ends that begins at `at`, which is before `end`; null where the next character
  // is not UTF-8. One that is broken further on ends its piece.
  const std::uint8_t* EndOfPiece(const std::uint8_t* at, const std::uint8_t* end) const;

 private:
  enum Kind : std::uint8_t { kOther, kLetter, kNumber, kSpace, kBroken, kBeyondAscii };
  struct Looked {
    Kind kind;
    std::uint8_t length;
  };

  Looked Look(const std::uint8_t* at, const std::uint8_t* end) const;
  const std::uint8_t* EndOfRun(Kind kind, const std::uint8_t* at, const std::uint8_t* end) const;
  const std::uint8_t* EndOfSpaces(const std::uint8_t* at, const std::uint8_t* end) const;

  CodePointTable kinds_;
  std::array<Kind, 256> bytes_;  // of ASCII characters; kBeyondAscii for other bytes
};

}  // namespace penstock::preprocess
