// Short words and their ids: a hash table whose keys are whole words in two registers. One probe
// for nearly every word, no string is compared. Constant after construction; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace penstock::preprocess {

inline constexpr std::uint32_t kNoId = 0xFFFFFFFF;

// The word's bytes, zeros, and its length in the last byte: no two words have the same.
struct ShortWord {
  static constexpr std::size_t kLengthMax = 15;

  std::uint64_t low = 0;
  std::uint64_t high = 0;

  // 16 bytes may be read at `bytes`; length is 1 to kLengthMax.
  static ShortWord Read(const std::uint8_t* bytes, std::size_t length) {
    ShortWord word;
    std::memcpy(&word.low, bytes, 8);
    std::memcpy(&word.high, bytes + 8, 8);
    word.low &= kMasks[length].low;
    word.high = (word.high & kMasks[length].high) | static_cast<std::uint64_t>(length) << 56;
    return word;
  }
  // As Read, where no byte beyond the word may be read.
  static ShortWord Copy(const std::uint8_t* bytes, std::size_t length) {
    std::array<std::uint8_t, 16> room = {};
    std::memcpy(room.data(), bytes, length);
    return Read(room.data(), length);
  }

  std::uint64_t Hash() const {
    const std::uint64_t mixed = (low ^ high * 0x9E3779B97F4A7C15ULL) * 0xD6E8FEB86659FD93ULL;
    return mixed ^ mixed >> 32;
  }
  bool operator==(const ShortWord&) const = default;

 private:
  struct Mask {
    std::uint64_t low;
    std::uint64_t high;
  };
  static constexpr std::array<Mask, 16> kMasks = [] {
    std::array<Mask, 16> masks = {};
    for (std::size_t length = 0; length < masks.size(); ++length) {
      masks[length].low = length >= 8 ? ~0ULL : (1ULL << 8 * length) - 1;
      masks[length].high = length <= 8 ? 0 : (1ULL << 8 * (length - 8)) - 1;
    }
    return masks;
  }();
};

class WordTable final {
 public:
  // Room for `count` words.
  explicit WordTable(std::size_t count) {
    std::size_t size = 16;
    while (size < count * 2) size *= 2;
    slots_.resize(size);
    mask_ = size - 1;
  }

  // A word that is there keeps its id.
  void Insert(const ShortWord& word, std::uint32_t id) {
    CHECK_LT(used_ + 1, slots_.size());
    std::size_t at = word.Hash() & mask_;
    while (slots_[at].word.high != 0) {
      if (slots_[at].word == word) return;
      at = (at + 1) & mask_;
    }
    slots_[at] = {.word = word, .id = id};
    ++used_;
  }
  // Fetches what Find will look at: a vocabulary does not fit into the nearest caches.
  void Prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }
  // kNoId where the word is not there.
  std::uint32_t Find(const ShortWord& word) const { return Find(word, word.Hash()); }
  std::uint32_t Find(const ShortWord& word, std::uint64_t hash) const {
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const Slot& slot = slots_[at];
      if (slot.word == word) return slot.id;
      if (slot.word.high == 0) return kNoId;
    }
  }

 private:
  // Aligned, so that none lies in two cache lines.
  struct alignas(32) Slot {
    ShortWord word;  // length 0: free
    std::uint32_t id = kNoId;
  };

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  std::size_t used_ = 0;
};

}  // namespace penstock::preprocess
