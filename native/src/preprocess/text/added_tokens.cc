#include "preprocess/text/added_tokens.h"

#include <algorithm>
#include <cstring>

#include "preprocess/text/unicode.h"
#include "preprocess/text/utf8.h"

namespace penstock::preprocess {
namespace {

const std::uint8_t* BytesOf(std::string_view text) {
  return reinterpret_cast<const std::uint8_t*>(text.data());
}

bool IsSpace(char32_t code_point) {
  return std::ranges::any_of(kUnicode.byte_level_whitespace, [&](const CodePointRange& range) {
    return range.first <= code_point && code_point <= range.last;
  });
}

// How many bytes of white space `text` begins with.
std::size_t SpacesBefore(std::string_view text) {
  const std::uint8_t* const begin = BytesOf(text);
  const std::uint8_t* const end = begin + text.size();
  const std::uint8_t* at = begin;
  while (at != end) {
    const DecodedCodePoint next = DecodeUtf8(at, end);
    if (next.length == 0 || !IsSpace(next.code_point)) break;
    at += next.length;
  }
  return static_cast<std::size_t>(at - begin);
}

// Where the white space begins that `text` ends with, not before `first`.
std::size_t SpacesFrom(std::string_view text, std::size_t first) {
  const std::uint8_t* const bytes = BytesOf(text);
  std::size_t from = text.size();
  while (from > first) {
    std::size_t previous = from - 1;
    while (previous > first && IsContinuation(bytes[previous])) --previous;
    const DecodedCodePoint last = DecodeUtf8(bytes + previous, bytes + from);
    if (last.length != from - previous || !IsSpace(last.code_point)) break;
    from = previous;
  }
  return from;
}

}  // namespace

AddedTokens::AddedTokens(const std::vector<AddedTokenSpec>& tokens, bool normalized) {
  std::vector<TrieEntry> entries;
  for (const AddedTokenSpec& token : tokens) {
    if (token.normalized != normalized || token.content.empty()) continue;
    entries.push_back({.key = token.content, .value = static_cast<std::uint32_t>(tokens_.size())});
    tokens_.push_back({.id = token.id, .lstrip = token.lstrip, .rstrip = token.rstrip});
    begins_[*BytesOf(token.content)] = true;
  }
  if (std::ranges::count(begins_, true) == 1) {
    first_byte_ = static_cast<int>(std::ranges::find(begins_, true) - begins_.begin());
  }
  trie_ = DoubleArray(std::move(entries));
}

std::size_t AddedTokens::NextCandidate(std::string_view text, std::size_t from) const {
  if (tokens_.empty() || from >= text.size()) return text.size();
  if (first_byte_ >= 0) {
    const void* const at = std::memchr(text.data() + from, first_byte_, text.size() - from);
    if (at == nullptr) return text.size();
    return static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
  }
  const std::uint8_t* const bytes = BytesOf(text);
  while (from < text.size() && !begins_[bytes[from]]) ++from;
  return from;
}

bool AddedTokens::Find(std::string_view text, std::size_t* from, std::size_t done,
                       FoundToken* found) const {
  const std::uint8_t* const bytes = BytesOf(text);
  for (;; ++*from) {
    *from = NextCandidate(text, *from);
    if (*from >= text.size()) return false;
    const TrieMatch match = trie_.Longest(bytes + *from, bytes + text.size());
    if (match.length == 0) continue;
    const Token& token = tokens_[match.value];
    *found = {.start = *from, .end = *from + match.length, .id = token.id};
    *from = found->end;
    if (token.lstrip) found->start = std::max(done, SpacesFrom(text.substr(0, found->start), done));
    if (token.rstrip) found->end += SpacesBefore(text.substr(found->end));
    return true;
  }
}

}  // namespace penstock::preprocess
