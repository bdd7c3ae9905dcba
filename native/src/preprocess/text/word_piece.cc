#include "preprocess/text/word_piece.h"

#include <algorithm>
#include <array>
#include <utility>

#include "preprocess/text/utf8.h"

namespace penstock::preprocess {
namespace {

const std::uint8_t* BytesOf(const TrieEntry& entry) {
  return reinterpret_cast<const std::uint8_t*>(entry.key.data());
}

WordTable ShortOnes(const std::vector<TrieEntry>& entries) {
  WordTable table(entries.size());
  for (const TrieEntry& entry : entries) {
    if (entry.key.size() > ShortWord::kLengthMax) continue;
    table.Insert(ShortWord::Copy(BytesOf(entry), entry.key.size()), entry.value);
  }
  return table;
}

}  // namespace

WordPiece::WordPiece(const std::vector<TrieEntry>& beginnings, std::vector<TrieEntry> continuations,
                     std::uint32_t unknown_id, std::size_t characters_max)
    : whole_(ShortOnes(beginnings)),
      beginnings_(beginnings),
      continuations_(std::move(continuations)),
      unknown_id_(unknown_id),
      characters_max_(characters_max) {}

std::uint32_t* WordPiece::Append(const WordSpans& words, std::uint32_t* ids) const {
  // Short words are looked up in groups, so that the memory is asked for several at once.
  constexpr std::size_t kGroup = 16;
  struct Key {
    ShortWord word;
    std::uint64_t hash = 0;
  };
  std::array<Key, kGroup> keys;
  const std::size_t whole_max = std::min(ShortWord::kLengthMax, characters_max_);
  const auto length_of = [&words](std::size_t i) -> std::size_t {
    return words.ends[i] - words.starts[i];
  };
  for (std::size_t first = 0; first < words.starts.size(); first += kGroup) {
    const std::size_t behind = std::min(first + kGroup, words.starts.size());
    for (std::size_t i = first; i < behind; ++i) {
      if (length_of(i) > whole_max) continue;
      Key& key = keys[i - first];
      key.word = ShortWord::Read(words.bytes + words.starts[i], length_of(i));
      key.hash = key.word.Hash();
      whole_.Prefetch(key.hash);
    }
    for (std::size_t i = first; i < behind; ++i) {
      if (length_of(i) <= whole_max) {
        const std::uint32_t id = whole_.Find(keys[i - first].word, keys[i - first].hash);
        if (id != kNoId) {
          *ids++ = id;
          continue;
        }
      }
      ids = AppendPieces(words.bytes + words.starts[i], words.bytes + words.ends[i], ids);
    }
  }
  return ids;
}

std::uint32_t* WordPiece::AppendPieces(const std::uint8_t* at, const std::uint8_t* end,
                                       std::uint32_t* ids) const {
  std::uint32_t* const first = ids;
  const auto length = static_cast<std::size_t>(end - at);
  if (length > characters_max_) {
    const auto characters =
        length - static_cast<std::size_t>(std::count_if(at, end, IsContinuation));
    if (characters > characters_max_) {
      *ids++ = unknown_id_;
      return ids;
    }
  }
  TrieMatch piece = beginnings_.Longest(at, end);
  while (piece.length != 0) {
    *ids++ = piece.value;
    at += piece.length;
    if (at == end) return ids;
    piece = continuations_.Longest(at, end);
  }
  *first = unknown_id_;
  return first + 1;
}

}  // namespace penstock::preprocess
