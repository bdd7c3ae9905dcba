#include "preprocess/text/byte_pair.h"

#include <algorithm>
#include <functional>

namespace penstock::preprocess {

BytePair::BytePair(const std::array<std::uint32_t, 256>& byte_ids,
                   std::span<const PairMerge> merges, std::span<const TrieEntry> words)
    : byte_ids_(byte_ids), whole_(words.size()) {
  InsertMerges(merges);
  // The vocabulary may hold words that no merges lead to.
  std::array<std::uint32_t, kShortMax> ids;
  for (const TrieEntry& word : words) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(word.key.data());
    const std::size_t length = word.key.size();
    if (length > ShortWord::kLengthMax) continue;
    if (AppendShort(bytes, length, ids.data()) == ids.data() + 1 && ids[0] == word.value) {
      whole_.Insert(ShortWord::Copy(bytes, length), word.value);
    }
  }
}

// Of the same pair twice the later rank counts, as in HuggingFace's map.
void BytePair::InsertMerges(std::span<const PairMerge> merges) {
  std::size_t size = 16;
  while (size < merges.size() * 2) size *= 2;
  pairs_.resize(size);
  pair_mask_ = size - 1;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::uint64_t pair = PairOf(merges[rank].left, merges[rank].right);
    std::size_t at = HashOf(pair) & pair_mask_;
    while (pairs_[at].merge != kNoMerge && pairs_[at].pair != pair) at = (at + 1) & pair_mask_;
    pairs_[at] = {.pair = pair,
                  .merge = static_cast<std::uint64_t>(rank) << 32 | merges[rank].result};
  }
}

std::uint32_t* BytePair::Append(const std::uint8_t* at, const std::uint8_t* end,
                                const std::uint8_t* readable_end, std::uint32_t* ids,
                                BytePairScratch& scratch) const {
  const auto length = static_cast<std::size_t>(end - at);
  if (length > kShortMax) return AppendLong(at, length, ids, scratch);
  if (length > ShortWord::kLengthMax) return AppendShort(at, length, ids);
  const ShortWord word =
      readable_end - at >= 16 ? ShortWord::Read(at, length) : ShortWord::Copy(at, length);
  const std::uint32_t id = whole_.Find(word);
  if (id != kNoId) {
    *ids++ = id;
    return ids;
  }
  BytePairScratch::Known& known = scratch.known_[word.Hash() % BytePairScratch::kKnown];
  if (known.word != word) {
    std::uint32_t* const behind = AppendShort(at, length, ids);
    const auto count = static_cast<std::size_t>(behind - ids);
    if (count > BytePairScratch::Known::kIdsMax) return behind;
    known.word = word;
    known.count = static_cast<std::uint32_t>(count);
    std::copy(ids, behind, known.ids.begin());
    return behind;
  }
  return std::copy_n(known.ids.begin(), known.count, ids);
}

std::uint32_t* BytePair::AppendShort(const std::uint8_t* at, std::size_t length,
                                     std::uint32_t* ids) const {
  std::array<std::uint32_t, kShortMax> parts;
  std::array<std::uint64_t, kShortMax> merges;  // of each part with the next
  for (std::size_t i = 0; i < length; ++i) parts[i] = byte_ids_[at[i]];
  for (std::size_t i = 0; i + 1 < length; ++i) merges[i] = MergeOf(parts[i], parts[i + 1]);
  while (length > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < length; ++i) {
      if (merges[i] < merges[best]) best = i;
    }
    if (merges[best] == kNoMerge) break;
    parts[best] = static_cast<std::uint32_t>(merges[best]);
    --length;
    for (std::size_t i = best + 1; i < length; ++i) parts[i] = parts[i + 1];
    for (std::size_t i = best + 1; i + 1 < length; ++i) merges[i] = merges[i + 1];
    if (best > 0) merges[best - 1] = MergeOf(parts[best - 1], parts[best]);
    if (best + 1 < length) merges[best] = MergeOf(parts[best], parts[best + 1]);
  }
  return std::copy_n(parts.begin(), length, ids);
}

// As AppendShort, in n log n: a heap of rank and place, in which outdated entries stay until they
// come up.
std::uint32_t* BytePair::AppendLong(const std::uint8_t* at, std::size_t length, std::uint32_t* ids,
                                    BytePairScratch& scratch) const {
  std::vector<BytePairScratch::Part>& parts = scratch.parts_;
  std::vector<std::uint64_t>& heap = scratch.heap_;
  const auto end = static_cast<std::uint32_t>(length);
  const auto look = [&](std::uint32_t place) {
    BytePairScratch::Part& part = parts[place];
    part.merge = part.next == end ? kNoMerge : MergeOf(part.id, parts[part.next].id);
    if (part.merge != kNoMerge) heap.push_back((part.merge & ~0xFFFFFFFFULL) | place);
    return part.merge != kNoMerge;
  };
  parts.resize(length);
  heap.clear();
  for (std::uint32_t i = 0; i < end; ++i) {
    parts[i] = {.id = byte_ids_[at[i]], .previous = i - 1, .next = i + 1};
  }
  for (std::uint32_t i = 0; i < end; ++i) look(i);
  std::ranges::make_heap(heap, std::greater());
  const auto look_again = [&](std::uint32_t place) {
    if (look(place)) std::ranges::push_heap(heap, std::greater());
  };
  while (!heap.empty()) {
    std::ranges::pop_heap(heap, std::greater());
    const auto place = static_cast<std::uint32_t>(heap.back());
    const std::uint64_t rank = heap.back() >> 32;
    heap.pop_back();
    BytePairScratch::Part& part = parts[place];
    if (part.merge == kNoMerge || part.merge >> 32 != rank) continue;
    BytePairScratch::Part& gone = parts[part.next];
    part.id = static_cast<std::uint32_t>(part.merge);
    part.next = gone.next;
    gone.merge = kNoMerge;
    if (part.next != end) parts[part.next].previous = place;
    look_again(place);
    if (place != 0) look_again(part.previous);
  }
  for (std::uint32_t i = 0; i != end; i = parts[i].next) *ids++ = parts[i].id;
  return ids;
}

}  // namespace penstock::preprocess
