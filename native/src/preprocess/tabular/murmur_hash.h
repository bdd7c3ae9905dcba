// MurmurHash3 in its 32 bit form (Austin Appleby's, public domain), which scikit-learn's
// FeatureHasher uses with the seed 0. A copy taken after a prefix goes on from there.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace penstock::preprocess {

class MurmurHash final {
 public:
  void Add(std::string_view text) {
    length_ += text.size();
    while (text.size() >= 4) {
      AddWord(text, 4);
      text.remove_prefix(4);
    }
    if (!text.empty()) AddWord(text, text.size());
  }

  std::uint32_t Finish() const {
    std::uint32_t hash = hash_ ^ Scrambled(static_cast<std::uint32_t>(tail_));
    hash ^= static_cast<std::uint32_t>(length_);
    hash = (hash ^ hash >> 16) * 0x85EBCA6B;
    hash = (hash ^ hash >> 13) * 0xC2B2AE35;
    return hash ^ hash >> 16;
  }

 private:
  static std::uint32_t Scrambled(std::uint32_t word) {
    return std::rotl(word * 0xCC9E2D51, 15) * 0x1B873593;
  }
  // The first `size` bytes of the text, 4 at most, behind those of the tail.
  void AddWord(std::string_view text, std::size_t size) {
    std::uint32_t word = 0;
    std::memcpy(&word, text.data(), size);
    tail_ |= static_cast<std::uint64_t>(word) << 8 * tail_size_;
    tail_size_ += size;
    if (tail_size_ < 4) return;
    hash_ = std::rotl(hash_ ^ Scrambled(static_cast<std::uint32_t>(tail_)), 13) * 5 + 0xE6546B64;
    tail_ >>= 32;
    tail_size_ -= 4;
  }

  std::uint32_t hash_ = 0;  // the seed
  std::uint64_t tail_ = 0;  // bytes that make no word yet
  std::size_t tail_size_ = 0;
  std::size_t length_ = 0;
};

}  // namespace penstock::preprocess
