// WordPiece: each word is the longest pieces of the vocabulary, from the left; a word that cannot
// be made of pieces is unknown as a whole. Constant after construction; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "preprocess/text/bert_splitter.h"
#include "preprocess/text/double_array.h"
#include "preprocess/text/word_table.h"

namespace penstock::preprocess {

class WordPiece final {
 public:
  // Pieces that begin words, and those that go on, without the prefix that marks them.
  WordPiece(const std::vector<TrieEntry>& beginnings, std::vector<TrieEntry> continuations,
            std::uint32_t unknown_id, std::size_t characters_max);

  // Writes the ids of `words` at `ids` and returns what is behind them. There is room for one id
  // for each byte of the words.
  std::uint32_t* Append(const WordSpans& words, std::uint32_t* ids) const;

 private:
  std::uint32_t* AppendPieces(const std::uint8_t* at, const std::uint8_t* end,
                              std::uint32_t* ids) const;

  const WordTable whole_;
  const DoubleArray beginnings_;
  const DoubleArray continuations_;
  const std::uint32_t unknown_id_;
  const std::size_t characters_max_;
};

}  // namespace penstock::preprocess
