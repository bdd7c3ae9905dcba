#include "preprocess/text/bert_table.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/check.h"
#include "preprocess/text/utf8.h"

namespace penstock::preprocess {
namespace {

class CodePointSet final {
 public:
  explicit CodePointSet(std::span<const CodePointRange> ranges) : has_(kCodePointEnd) {
    for (const CodePointRange& range : ranges) {
      std::fill(has_.begin() + range.first, has_.begin() + range.last + 1, true);
    }
  }
  bool operator[](char32_t code_point) const { return has_[code_point]; }

 private:
  std::vector<bool> has_;
};

using Mappings = std::unordered_map<char32_t, std::array<char32_t, 4>>;

Mappings MappingsOf(std::span<const CodePointMapping> listed) {
  Mappings mappings;
  for (const CodePointMapping& mapping : listed) mappings.emplace(mapping.from, mapping.to);
  return mappings;
}

// What `code_point` maps to, itself where nothing is said.
std::vector<char32_t> Mapped(const Mappings& mappings, char32_t code_point) {
  const auto found = mappings.find(code_point);
  if (found == mappings.end()) return {code_point};
  std::vector<char32_t> to;
  for (const char32_t mapped : found->second) {
    if (mapped != 0) to.push_back(mapped);
  }
  return to;
}

// Applies the stages to one code point after another.
class Folder final {
 public:
  explicit Folder(const BertStages& stages) : stages_(stages), touched_(kCodePointEnd) {
    for (const auto& ranges :
         {kUnicode.bert_dropped, kUnicode.bert_spaced, kUnicode.bert_ideographs,
          kUnicode.bert_stripped, kUnicode.bert_whitespace, kUnicode.bert_punctuation}) {
      for (const CodePointRange& range : ranges) {
        std::fill(touched_.begin() + range.first, touched_.begin() + range.last + 1, true);
      }
    }
    for (const CombiningClass& listed : kUnicode.surviving_marks) touched_[listed.mark] = true;
    for (const auto& mappings : {kUnicode.decompositions, kUnicode.lowercase}) {
      for (const CodePointMapping& mapping : mappings) touched_[mapping.from] = true;
    }
  }

  // Whether some stage may do something with it: most code points are letters of words as they are.
  bool Touches(char32_t code_point) const { return touched_[code_point]; }

  std::vector<BertStep> StepsOf(char32_t code_point) const {
    if (stages_.clean_text && dropped_[code_point]) return {};
    if (stages_.clean_text && spaced_[code_point]) code_point = ' ';
    std::vector<BertStep> steps;
    const bool ideograph = stages_.handle_chinese_chars && ideographs_[code_point];
    if (ideograph) steps.push_back({.code_point = ' '});
    for (const char32_t part : Decomposed(code_point)) Append(part, &steps);
    if (ideograph) steps.push_back({.code_point = ' '});
    return steps;
  }

 private:
  std::vector<char32_t> Decomposed(char32_t code_point) const {
    if (!stages_.strip_accents) return {code_point};
    return Mapped(decompositions_, code_point);
  }

  void Append(char32_t part, std::vector<BertStep>* steps) const {
    std::uint8_t combining_class = 0;
    if (stages_.strip_accents) {
      if (stripped_[part]) {
        if (starters_[part]) steps->push_back({.action = BertAction::kBarrier});
        return;
      }
      combining_class = BertTable::CombiningClassOf(part);
    }
    const std::vector<char32_t> cased =
        stages_.lowercase ? Mapped(lowercase_, part) : std::vector<char32_t>{part};
    for (const char32_t code_point : cased) {
      const BertAction action = whitespace_[code_point]    ? BertAction::kSpace
                                : punctuation_[code_point] ? BertAction::kIsolated
                                                           : BertAction::kWord;
      steps->push_back(
          {.code_point = code_point, .action = action, .combining_class = combining_class});
    }
  }

  const BertStages stages_;
  std::vector<bool> touched_;
  const CodePointSet dropped_{kUnicode.bert_dropped};
  const CodePointSet spaced_{kUnicode.bert_spaced};
  const CodePointSet ideographs_{kUnicode.bert_ideographs};
  const CodePointSet stripped_{kUnicode.bert_stripped};
  const CodePointSet starters_{kUnicode.bert_stripped_starters};
  const CodePointSet whitespace_{kUnicode.bert_whitespace};
  const CodePointSet punctuation_{kUnicode.bert_punctuation};
  const Mappings decompositions_ = MappingsOf(kUnicode.decompositions);
  const Mappings lowercase_ = MappingsOf(kUnicode.lowercase);
};

// The steps as one action, where one says it.
bool FoldInto(char32_t code_point, std::span<const BertStep> steps, BertEntry* entry) {
  if (steps.empty()) {
    *entry = BertEntry::Of(BertAction::kWord);
    return true;
  }
  const bool framed = steps.size() == 3 && steps[0].action == BertAction::kSpace &&
                      steps[1].action == BertAction::kWord && steps[2].action == BertAction::kSpace;
  if (!framed && steps.size() != 1) return false;
  const BertStep& step = framed ? steps[1] : steps[0];
  if (step.combining_class != 0) return false;
  if (step.action == BertAction::kSpace || step.action == BertAction::kBarrier) {
    *entry = BertEntry::Of(step.action);
    return true;
  }
  const bool isolated = framed || step.action == BertAction::kIsolated;
  if (step.code_point == code_point) {
    *entry = BertEntry::Of(isolated ? BertAction::kIsolatedCopy : BertAction::kWordCopy);
    return true;
  }
  std::array<std::uint8_t, 4> bytes = {};
  const std::size_t length = EncodeUtf8(step.code_point, bytes.data());
  if (length > 3) return false;
  const auto payload = static_cast<std::uint32_t>(bytes[0] | bytes[1] << 8 | bytes[2] << 16);
  *entry = BertEntry::Of(isolated ? BertAction::kIsolated : BertAction::kWord, payload,
                         static_cast<std::uint32_t>(length));
  return true;
}

}  // namespace

BertTable::BertTable(const BertStages& stages) : lowercase_(stages.lowercase) {
  const Folder folder(stages);
  std::vector<std::uint32_t> entries(kCodePointEnd);
  for (char32_t code_point = 0; code_point < kCodePointEnd; ++code_point) {
    if (stages.strip_accents && code_point >= kHangulFirst && code_point <= kHangulLast) {
      entries[code_point] = BertEntry::Of(BertAction::kHangul).bits;
      continue;
    }
    if (!folder.Touches(code_point)) {
      entries[code_point] = BertEntry::Of(BertAction::kWordCopy).bits;
      continue;
    }
    std::vector<BertStep> steps = folder.StepsOf(code_point);
    BertEntry entry;
    if (!FoldInto(code_point, steps, &entry)) {
      CHECK_LE(steps.size() * 4, kExpansionMax);
      steps.back().last = true;
      entry = BertEntry::Of(BertAction::kSteps, static_cast<std::uint32_t>(steps_.size()));
      steps_.insert(steps_.end(), steps.begin(), steps.end());
    }
    entries[code_point] = entry.bits;
  }
  entries_ = CodePointTable(entries);
}

std::uint8_t BertTable::CombiningClassOf(char32_t code_point) {
  const auto found =
      std::ranges::lower_bound(kUnicode.surviving_marks, code_point, {}, &CombiningClass::mark);
  const bool listed = found != kUnicode.surviving_marks.end() && found->mark == code_point;
  return listed ? found->value : std::uint8_t{0};
}

}  // namespace penstock::preprocess
