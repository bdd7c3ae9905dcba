// Byte-pair encoding of one piece of text: its bytes, of which the neighbours with the earliest
// merge are joined until none is left that can be. Constant after construction; any thread, each
// with a scratch of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "preprocess/text/double_array.h"
#include "preprocess/text/word_table.h"

namespace penstock::preprocess {

// Two neighbours and what becomes of them.
struct PairMerge {
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  std::uint32_t result = 0;
};

// What BytePair needs of memory, and what it learned of short pieces. One thread at a time.
class BytePairScratch final {
 private:
  friend class BytePair;

  // Where pieces are kept that take more than one id, each at a place that its hash gives.
  struct Known {
    static constexpr std::size_t kIdsMax = 7;
    ShortWord word;
    std::uint32_t count = 0;
    std::array<std::uint32_t, kIdsMax> ids = {};
  };
  static constexpr std::size_t kKnown = 4096;

  // A byte or what it was merged into, in a list.
  struct Part {
    std::uint32_t id = 0;
    std::uint32_t previous = 0;
    std::uint32_t next = 0;
    std::uint64_t merge = 0;  // with the next part; see BytePair::MergeOf
  };

  std::vector<Known> known_ = std::vector<Known>(kKnown);
  std::vector<Part> parts_;
  std::vector<std::uint64_t> heap_;
};

class BytePair final {
 public:
  // `merges` in the order of their rank, `words` every entry of the vocabulary.
  BytePair(const std::array<std::uint32_t, 256>& byte_ids, std::span<const PairMerge> merges,
           std::span<const TrieEntry> words);

  // Writes the ids of the piece [at, end) at `ids`, of which there is room for one for each byte,
  // and returns what is behind them. Up to `readable_end` may be read.
  std::uint32_t* Append(const std::uint8_t* at, const std::uint8_t* end,
                        const std::uint8_t* readable_end, std::uint32_t* ids,
                        BytePairScratch& scratch) const;

 private:
  // Rank in the upper half, result in the lower: the smallest goes first.
  static constexpr std::uint64_t kNoMerge = ~0ULL;
  static constexpr std::size_t kShortMax = 64;

  struct PairSlot {
    std::uint64_t pair = ~0ULL;
    std::uint64_t merge = kNoMerge;
  };

  static std::uint64_t PairOf(std::uint32_t left, std::uint32_t right) {
    return static_cast<std::uint64_t>(left) << 32 | right;
  }
  static std::size_t HashOf(std::uint64_t pair) {
    const std::uint64_t mixed = pair * 0x9E3779B97F4A7C15ULL;
    return mixed ^ mixed >> 32;
  }
  std::uint64_t MergeOf(std::uint32_t left, std::uint32_t right) const {
    const std::uint64_t pair = PairOf(left, right);
    for (std::size_t at = HashOf(pair) & pair_mask_;; at = (at + 1) & pair_mask_) {
      if (pairs_[at].pair == pair || pairs_[at].merge == kNoMerge) return pairs_[at].merge;
    }
  }
  void InsertMerges(std::span<const PairMerge> merges);
  std::uint32_t* AppendShort(const std::uint8_t* at, std::size_t length, std::uint32_t* ids) const;
  std::uint32_t* AppendLong(const std::uint8_t* at, std::size_t length, std::uint32_t* ids,
                            BytePairScratch& scratch) const;

  const std::array<std::uint32_t, 256> byte_ids_;
  std::vector<PairSlot> pairs_;
  std::size_t pair_mask_ = 0;
  WordTable whole_;  // pieces that become one id
};

}  // namespace penstock::preprocess
