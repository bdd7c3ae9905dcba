// Text into normalised words, as BERT's normaliser and pre-tokeniser split it. Takes the text in
// portions, so that what was written is still in the cache when the words are looked up. One caller
// at a time; knows nothing of vocabularies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "preprocess/text/bert_table.h"
#include "preprocess/text/utf8.h"

namespace penstock::preprocess {

// Words lie in `bytes`, from starts[i] to ends[i]. At least kWordMargin bytes may be read from the
// start of each.
struct WordSpans {
  const std::uint8_t* bytes = nullptr;
  std::span<const std::uint32_t> starts;
  std::span<const std::uint32_t> ends;
};
inline constexpr std::size_t kWordMargin = 16;

class BertSplitter final {
 public:
  // Begins a text, at most kTextBytesMax long; it must stay until the splitter is done.
  void Begin(const BertTable& table, std::string_view text);
  // The next words; none at the end of the text, or where it is not UTF-8. Valid until the next
  // call.
  WordSpans Next();
  bool done() const { return at_ == end_; }
  bool failed() const { return failed_; }
  // Where the first byte stands that is not UTF-8.
  std::size_t failed_at() const { return static_cast<std::size_t>(at_ - begin_); }

  static constexpr std::size_t kTextBytesMax = 1U << 28;

 private:
  // Text bytes looked at in one portion.
  static constexpr std::size_t kPortion = 4096;
  // Words that one portion can bring before it is cut short.
  static constexpr std::size_t kWordsMax = kPortion + 512;
  static constexpr std::size_t kNowhere = ~std::size_t{0};

  void MakeRoom();
  void TakeBlock();
  // `length` bytes that were written to bytes_ already.
  void TakeAscii(std::size_t length, std::uint64_t word, std::uint64_t punctuation);
  // Takes characters one by one until `until` or beyond.
  void TakeCharacters(const std::uint8_t* until);
  void TakeEntry(BertEntry entry, const DecodedCodePoint& next);
  void TakeSteps(const BertStep* step);
  void TakeHangul(char32_t code_point);
  void PutMark(char32_t code_point, std::uint8_t combining_class);
  void SortMarks();
  // Later marks do not move before this place.
  void PutBarrier() {
    SortMarks();
    marks_end_ = kNowhere;
  }
  void EndWord();

  const BertTable* table_ = nullptr;
  const std::uint8_t* begin_ = nullptr;
  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint32_t> starts_ = std::vector<std::uint32_t>(kWordsMax);
  std::vector<std::uint32_t> ends_ = std::vector<std::uint32_t>(kWordsMax);
  std::size_t out_ = 0;    // written of bytes_
  std::size_t start_ = 0;  // of the word that is open; out_ where none is
  std::size_t words_ = 0;
  // The last run of marks that stay, for which there is an order (Unicode, section 3.11).
  std::size_t marks_start_ = 0;
  std::size_t marks_end_ = kNowhere;
  std::uint8_t last_class_ = 0;
  bool disordered_ = false;
  bool failed_ = false;
};

}  // namespace penstock::preprocess
