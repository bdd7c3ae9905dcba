#include "preprocess/text/double_array.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace penstock::preprocess {
namespace {

TrieMatch Find(const DoubleArray& trie, std::string_view text) {
  const auto* const at = reinterpret_cast<const std::uint8_t*>(text.data());
  return trie.Longest(at, at + text.size());
}

TEST(DoubleArray, KeysThatBeginEachOther_LongestIsFound) {
  const DoubleArray trie({{"a", 1}, {"abc", 2}, {"b", 3}, {"abc", 4}});
  EXPECT_EQ(Find(trie, "abcd").length, 3U);
  EXPECT_EQ(Find(trie, "abcd").value, 2U);
  EXPECT_EQ(Find(trie, "abd").length, 1U);
  EXPECT_EQ(Find(trie, "abd").value, 1U);
  EXPECT_EQ(Find(trie, "c").length, 0U);
  EXPECT_EQ(Find(trie, "").length, 0U);
}

TEST(DoubleArray, Empty_FindsNothing) {
  const DoubleArray trie;
  EXPECT_EQ(Find(trie, std::string_view("\0\0a", 3)).length, 0U);
}

TEST(DoubleArray, RandomKeysWithZeros_EqualAMap) {
  std::mt19937 random(20261121);
  const auto word = [&] {
    std::string text(1 + random() % 5, '\0');
    for (char& c : text) c = static_cast<char>("\0\x01\x61\x62\xFE\xFF"[random() % 6]);
    return text;
  };
  std::map<std::string, std::uint32_t> keys;
  for (std::uint32_t i = 0; i < 2'000; ++i) keys.try_emplace(word(), i);
  std::vector<TrieEntry> entries;
  for (const auto& [key, value] : keys) entries.push_back({.key = key, .value = value});
  const DoubleArray trie(entries);
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = word() + word();
    std::size_t length = text.size();
    while (length > 0 && !keys.contains(text.substr(0, length))) --length;
    const TrieMatch match = Find(trie, text);
    ASSERT_EQ(match.length, length);
    if (length > 0) {
      ASSERT_EQ(match.value, keys.at(text.substr(0, length)));
    }
  }
}

}  // namespace
}  // namespace penstock::preprocess
