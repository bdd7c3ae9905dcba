// Tokens that are found in a text before anything else is done to it, such as [MASK]. Constant
// after construction; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include <penstock/tokenizer.h>

#include "preprocess/text/double_array.h"

namespace penstock::preprocess {

struct FoundToken {
  std::size_t start = 0;  // with white space that belongs to the token
  std::size_t end = 0;
  std::uint32_t id = 0;
};

class AddedTokens final {
 public:
  // Those of `tokens` that are looked for in normalised text, or the others.
  AddedTokens(const std::vector<AddedTokenSpec>& tokens, bool normalized);

  // Calls rest(text) for what lies between tokens, where that is not empty, and token(id). In the
  // order of the text; ends where one of them returns false, and returns whether none did.
  template <typename Rest, typename Token>
  bool Split(std::string_view text, const Rest& rest, const Token& token) const {
    std::size_t done = 0;
    std::size_t from = 0;
    FoundToken found;
    while (Find(text, &from, done, &found)) {
      if (found.start > done && !rest(text.substr(done, found.start - done))) return false;
      if (!token(found.id)) return false;
      done = found.end;
    }
    return done >= text.size() || rest(text.substr(done));
  }

 private:
  // The leftmost and there the longest token at or behind `from`, which moves behind it.
  bool Find(std::string_view text, std::size_t* from, std::size_t done, FoundToken* found) const;
  std::size_t NextCandidate(std::string_view text, std::size_t from) const;

  struct Token {
    std::uint32_t id;
    bool lstrip;
    bool rstrip;
  };
  std::vector<Token> tokens_;
  DoubleArray trie_;
  std::array<bool, 256> begins_{};  // whether a token begins with the byte
  int first_byte_ = -1;             // where all begin with one
};

}  // namespace penstock::preprocess
