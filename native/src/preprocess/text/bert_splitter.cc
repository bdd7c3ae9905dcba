#include "preprocess/text/bert_splitter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "preprocess/text/ascii_block.h"
#include "preprocess/text/utf8.h"

namespace penstock::preprocess {
namespace {

// Fewer ASCII characters in a row than this are taken one by one.
constexpr int kAsciiRunMin = 12;

// The positions of the set bits, from `base` on. Writes up to four values too many.
std::uint32_t* PutPositions(std::uint64_t bits, std::uint32_t base, std::uint32_t* to) {
  const int count = std::popcount(bits);
  for (int done = 0; done < count; done += 4) {
    for (int i = 0; i < 4; ++i) {
      to[done + i] = base + static_cast<std::uint32_t>(std::countr_zero(bits));
      bits &= bits - 1;
    }
  }
  return to + count;
}

std::uint64_t LowBits(std::size_t count) {
  return count >= 64 ? ~0ULL : (1ULL << count) - 1;
}

}  // namespace

void BertSplitter::Begin(const BertTable& table, std::string_view text) {
  CHECK_LE(text.size(), kTextBytesMax);
  table_ = &table;
  begin_ = reinterpret_cast<const std::uint8_t*>(text.data());
  at_ = begin_;
  end_ = begin_ + text.size();
  out_ = start_ = words_ = 0;
  marks_end_ = kNowhere;
  disordered_ = failed_ = false;
}

WordSpans BertSplitter::Next() {
  MakeRoom();
  words_ = 0;
  const std::uint8_t* const portion_end =
      at_ + std::min(kPortion, static_cast<std::size_t>(end_ - at_));
  // A block brings at most 64 words if it is ASCII, and four for each byte otherwise.
  while (at_ < portion_end && !failed_ && words_ + kBlockSize * 4 < kWordsMax) TakeBlock();
  if (at_ == end_) EndWord();
  if (failed_) words_ = 0;
  return {.bytes = bytes_.data(),
          .starts = std::span(starts_).first(words_),
          .ends = std::span(ends_).first(words_)};
}

// The words of the last portion are done with. A long open word stays where it is: moving it for
// each portion would take the square of its length.
void BertSplitter::MakeRoom() {
  const std::size_t open = out_ - start_;
  if (open < kPortion && start_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + start_, open);
    // A run of marks that counts is part of the open word.
    if (marks_end_ != kNowhere && marks_end_ > start_) {
      marks_start_ -= start_;
      marks_end_ -= start_;
    } else {
      marks_end_ = kNowhere;
    }
    start_ = 0;
    out_ = open;
  }
  // A character of 2 bytes and more becomes up to 24; blocks are written whole.
  const std::size_t needed =
      out_ + (kPortion + kBlockSize) * BertTable::kExpansionMax / 2 + 2 * kBlockSize;
  if (bytes_.size() < needed) bytes_.resize(needed + needed / 2);
}

void BertSplitter::TakeBlock() {
  const auto left = static_cast<std::size_t>(end_ - at_);
  const std::uint8_t* from = at_;
  std::array<std::uint8_t, kBlockSize> padded;
  if (left < kBlockSize) {
    padded.fill(' ');
    std::memcpy(padded.data(), at_, left);
    from = padded.data();
  }
  const AsciiBlock block = LookAtBlock(from, table_->lowercase(), bytes_.data() + out_);
  const std::size_t size = std::min(left, kBlockSize);
  const std::size_t ascii = std::min(size, static_cast<std::size_t>(std::countr_zero(block.other)));
  if (ascii >= kAsciiRunMin || ascii == size) {
    TakeAscii(ascii, block.word & LowBits(ascii), block.punctuation & LowBits(ascii));
    return;
  }
  // Up to the next run of ASCII that is worth a block of its own.
  std::size_t until = ascii;
  while (until < size) {
    const int run = std::countr_zero(block.other >> until);
    if (run >= kAsciiRunMin) break;
    until += static_cast<std::size_t>(run) + 1;
  }
  TakeCharacters(at_ + std::min(until, size));
}

// Starts and ends are listed apart: words do not overlap, so the n-th end is that of the n-th
// start.
void BertSplitter::TakeAscii(std::size_t length, std::uint64_t word, std::uint64_t punctuation) {
  SortMarks();
  const bool open = out_ > start_;
  std::uint32_t* starts = starts_.data() + words_;
  if (open) *starts++ = static_cast<std::uint32_t>(start_);
  const std::uint64_t before = word << 1 | static_cast<std::uint64_t>(open);
  const auto base = static_cast<std::uint32_t>(out_);
  starts = PutPositions((word & ~before) | punctuation, base, starts);
  // Punctuation ends behind itself, which may be behind the block.
  const std::uint64_t end_bits = (before & ~word & LowBits(length)) | punctuation << 1;
  std::uint32_t* ends = PutPositions(end_bits, base, ends_.data() + words_);
  if (punctuation >> 63 != 0) *ends++ = base + static_cast<std::uint32_t>(kBlockSize);
  out_ += length;
  at_ += length;
  const auto started = static_cast<std::size_t>(starts - starts_.data());
  words_ = static_cast<std::size_t>(ends - ends_.data());
  start_ = started > words_ ? starts_[words_] : out_;
}

void BertSplitter::TakeCharacters(const std::uint8_t* until) {
  const BertTable& table = *table_;
  while (at_ < until) {
    const DecodedCodePoint next = DecodeUtf8(at_, end_);
    if (next.length == 0) {
      failed_ = true;
      return;
    }
    const BertEntry entry = table[next.code_point];
    std::uint8_t* const to = bytes_.data() + out_;
    if (entry.action() == BertAction::kWord) {
      const std::uint32_t payload = entry.payload();
      std::memcpy(to, &payload, sizeof(payload));
      out_ += entry.length();
    } else if (entry.action() == BertAction::kWordCopy) {
      std::memcpy(to, at_, next.length);
      out_ += next.length;
    } else {
      TakeEntry(entry, next);
    }
    at_ += next.length;
  }
}

void BertSplitter::TakeEntry(BertEntry entry, const DecodedCodePoint& next) {
  std::uint8_t* const to = bytes_.data() + out_;
  switch (entry.action()) {
    case BertAction::kSpace:
      EndWord();
      return;
    case BertAction::kBarrier:
      PutBarrier();
      return;
    case BertAction::kHangul:
      TakeHangul(next.code_point);
      return;
    case BertAction::kSteps:
      TakeSteps(table_->steps(entry));
      return;
    case BertAction::kIsolated: {
      EndWord();
      const std::uint32_t payload = entry.payload();
      std::memcpy(to, &payload, sizeof(payload));
      out_ += entry.length();
      EndWord();
      return;
    }
    case BertAction::kIsolatedCopy:
      EndWord();
      std::memcpy(to, at_, next.length);
      out_ += next.length;
      EndWord();
      return;
    case BertAction::kWord:
    case BertAction::kWordCopy:
      return;  // the caller's
  }
}

void BertSplitter::TakeSteps(const BertStep* step) {
  for (;; ++step) {
    if (step->action == BertAction::kBarrier) {
      PutBarrier();
    } else if (step->action == BertAction::kSpace) {
      EndWord();
    } else if (step->combining_class != 0) {
      PutMark(step->code_point, step->combining_class);
    } else {
      if (step->action == BertAction::kIsolated) EndWord();
      out_ += EncodeUtf8(step->code_point, bytes_.data() + out_);
      if (step->action == BertAction::kIsolated) EndWord();
    }
    if (step->last) return;
  }
}

// Unicode, section 3.12: a syllable is a number in a mixed base.
void BertSplitter::TakeHangul(char32_t code_point) {
  constexpr char32_t kLeads = 0x1100;
  constexpr char32_t kVowels = 0x1161;
  constexpr char32_t kTails = 0x11A7;
  constexpr char32_t kVowelCount = 21;
  constexpr char32_t kTailCount = 28;
  const char32_t index = code_point - kHangulFirst;
  const char32_t tail = index % kTailCount;
  std::uint8_t* to = bytes_.data() + out_;
  to += EncodeUtf8(kLeads + index / (kVowelCount * kTailCount), to);
  to += EncodeUtf8(kVowels + index / kTailCount % kVowelCount, to);
  if (tail != 0) to += EncodeUtf8(kTails + tail, to);
  out_ = static_cast<std::size_t>(to - bytes_.data());
}

void BertSplitter::PutMark(char32_t code_point, std::uint8_t combining_class) {
  if (marks_end_ != out_) {
    SortMarks();
    marks_start_ = out_;
    last_class_ = 0;
  }
  disordered_ |= combining_class < last_class_;
  last_class_ = combining_class;
  out_ += EncodeUtf8(code_point, bytes_.data() + out_);
  marks_end_ = out_;
}

// By class, and as they came within one.
void BertSplitter::SortMarks() {
  if (!disordered_) return;
  disordered_ = false;
  std::vector<CombiningClass> marks;
  const std::uint8_t* const end = bytes_.data() + marks_end_;
  for (std::uint8_t* at = bytes_.data() + marks_start_; at != end;) {
    const DecodedCodePoint mark = DecodeUtf8(at, end);
    marks.push_back({mark.code_point, BertTable::CombiningClassOf(mark.code_point)});
    at += mark.length;
  }
  std::ranges::stable_sort(marks, {}, &CombiningClass::value);
  std::uint8_t* to = bytes_.data() + marks_start_;
  for (const CombiningClass& mark : marks) to += EncodeUtf8(mark.mark, to);
}

void BertSplitter::EndWord() {
  SortMarks();
  if (out_ > start_) {
    starts_[words_] = static_cast<std::uint32_t>(start_);
    ends_[words_] = static_cast<std::uint32_t>(out_);
    ++words_;
  }
  start_ = out_;
}

}  // namespace penstock::preprocess
