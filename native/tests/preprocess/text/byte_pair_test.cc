// Merging against a plain form of the same rule, for pieces of all lengths.
#include "preprocess/text/byte_pair.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>

namespace penstock::preprocess {
namespace {

// Merges of random earlier words, as training would leave them.
class RandomMerges final {
 public:
  explicit RandomMerges(std::mt19937& random) {
    for (int byte = 0; byte < 256; ++byte) {
      byte_ids_[static_cast<std::size_t>(byte)] = Add(std::string(1, static_cast<char>(byte)));
    }
    std::vector<std::uint32_t> usable = {byte_ids_['a'], byte_ids_['b'], byte_ids_['c']};
    for (int i = 0; i < 60; ++i) {
      const std::uint32_t left = usable[random() % usable.size()];
      const std::uint32_t right = usable[random() % usable.size()];
      if (ranks_.contains({left, right})) continue;
      const std::uint32_t result = Add(texts_[left] + texts_[right]);
      ranks_[{left, right}] = {merges_.size(), result};
      merges_.push_back({.left = left, .right = right, .result = result});
      usable.push_back(result);
    }
    for (std::uint32_t id = 0; id < texts_.size(); ++id) {
      words_.push_back({.key = texts_[id], .value = id});
    }
  }

  BytePair Make() const { return {byte_ids_, merges_, words_}; }
  std::vector<std::uint32_t> Plain(const std::string& piece) const {
    std::vector<std::uint32_t> ids;
    for (const char c : piece) ids.push_back(byte_ids_[static_cast<std::uint8_t>(c)]);
    for (;;) {
      std::size_t best = ids.size();
      std::pair<std::size_t, std::uint32_t> first{merges_.size(), 0};
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto found = ranks_.find({ids[i], ids[i + 1]});
        if (found != ranks_.end() && found->second.first < first.first) {
          best = i;
          first = found->second;
        }
      }
      if (best == ids.size()) return ids;
      ids[best] = first.second;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
  }

 private:
  std::uint32_t Add(std::string text) {
    texts_.push_back(std::move(text));
    return static_cast<std::uint32_t>(texts_.size() - 1);
  }

  std::array<std::uint32_t, 256> byte_ids_{};
  std::vector<std::string> texts_;
  std::vector<PairMerge> merges_;
  std::vector<TrieEntry> words_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::size_t, std::uint32_t>> ranks_;
};

TEST(BytePair, PiecesOfEveryLength_EqualThePlainForm) {
  std::mt19937 random(20261121);
  for (int round = 0; round < 10; ++round) {
    const RandomMerges merges(random);
    const BytePair byte_pair = merges.Make();
    BytePairScratch scratch;
    for (std::size_t length = 1; length < 200; ++length) {
      std::string piece(length, 'a');
      for (char& c : piece) c = static_cast<char>('a' + random() % 3);
      const auto* const at = reinterpret_cast<const std::uint8_t*>(piece.data());
      const std::uint8_t* const end = at + length;
      std::vector<std::uint32_t> ids(length);
      // The second time, what was learned of the piece answers.
      for (int again = 0; again < 2; ++again) {
        std::uint32_t* const behind = byte_pair.Append(at, end, end, ids.data(), scratch);
        ASSERT_EQ(std::vector<std::uint32_t>(ids.data(), behind), merges.Plain(piece)) << piece;
      }
    }
  }
}

}  // namespace
}  // namespace penstock::preprocess
