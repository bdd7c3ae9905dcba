#include "preprocess/text/byte_level_splitter.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "preprocess/text/unicode.h"
#include "preprocess/text/utf8.h"

namespace penstock::preprocess {
namespace {

// How long the contraction is that stands at an apostrophe; 0: none.
std::size_t ContractionLength(const std::uint8_t* at, const std::uint8_t* end) {
  const auto left = static_cast<std::size_t>(end - at);
  if (left < 2) return 0;
  if (std::strchr("stmd", at[1]) != nullptr && at[1] != 0) return 2;
  if (left < 3) return 0;
  const std::string_view two(reinterpret_cast<const char*>(at + 1), 2);
  return two == "re" || two == "ve" || two == "ll" ? 3 : 0;
}

}  // namespace

ByteLevelSplitter::ByteLevelSplitter() {
  std::vector<std::uint32_t> kinds(kCodePointEnd, kOther);
  const auto mark = [&](std::span<const CodePointRange> ranges, Kind kind) {
    for (const CodePointRange& range : ranges) {
      std::fill(kinds.begin() + range.first, kinds.begin() + range.last + 1, kind);
    }
  };
  mark(kUnicode.byte_level_letters, kLetter);
  mark(kUnicode.byte_level_numbers, kNumber);
  mark(kUnicode.byte_level_whitespace, kSpace);
  kinds_ = CodePointTable(kinds);
  bytes_.fill(kBeyondAscii);
  for (std::size_t byte = 0; byte < 0x80; ++byte) bytes_[byte] = static_cast<Kind>(kinds[byte]);
}

ByteLevelSplitter::Looked ByteLevelSplitter::Look(const std::uint8_t* at,
                                                  const std::uint8_t* end) const {
  const Kind kind = bytes_[*at];
  if (kind != kBeyondAscii) return {kind, 1};
  const DecodedCodePoint next = DecodeUtf8(at, end);
  if (next.length == 0) return {kBroken, 0};
  return {static_cast<Kind>(kinds_[next.code_point]), static_cast<std::uint8_t>(next.length)};
}

const std::uint8_t* ByteLevelSplitter::EndOfRun(Kind kind, const std::uint8_t* at,
                                                const std::uint8_t* end) const {
  while (at != end) {
    const Kind next = bytes_[*at];
    if (next == kind) {
      ++at;
      continue;
    }
    if (next != kBeyondAscii) break;
    const Looked looked = Look(at, end);
    if (looked.kind != kind) break;
    at += looked.length;
  }
  return at;
}

const std::uint8_t* ByteLevelSplitter::EndOfPiece(const std::uint8_t* at,
                                                  const std::uint8_t* end) const {
  Looked first = Look(at, end);
  const std::uint8_t* run = at + first.length;
  if (first.kind == kSpace) {
    if (*at != ' ' || run == end) return EndOfSpaces(at, end);
    first = Look(run, end);
    if (first.kind == kSpace) return EndOfSpaces(at, end);
    if (first.kind == kBroken) return run;
    run += first.length;
  } else if (*at == '\'') {
    const std::size_t length = ContractionLength(at, end);
    if (length != 0) return at + length;
  }
  if (first.kind == kBroken) return nullptr;
  return EndOfRun(first.kind, run, end);
}

// White space before something else leaves its last character to that, if it has more than one.
const std::uint8_t* ByteLevelSplitter::EndOfSpaces(const std::uint8_t* at,
                                                   const std::uint8_t* end) const {
  const std::uint8_t* last = at;
  const std::uint8_t* behind = at;
  while (behind != end) {
    const Looked looked = Look(behind, end);
    if (looked.kind != kSpace) return last == at ? behind : last;
    last = behind;
    behind += looked.length;
  }
  return behind;
}

}  // namespace penstock::preprocess
