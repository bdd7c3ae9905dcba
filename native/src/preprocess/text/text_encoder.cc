#include "preprocess/text/text_encoder.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "preprocess/text/piece_models.h"

namespace penstock::preprocess {
namespace {

using Part = TemplatePart;

// What a longer text made a scratch grow to is not kept.
constexpr std::size_t kKeptTextBytes = std::size_t{64} << 10;

constexpr std::size_t kCacheLine = 64;

// Ids that a template adds to those of the texts.
std::size_t AddedCount(const std::vector<Part>& parts) {
  std::size_t count = 0;
  for (const Part& part : parts) count += part.kind == Part::Kind::kIds ? part.ids.size() : 0;
  return count;
}

Status CheckLimits(const TokenizerSpec& spec) {
  if (spec.text_bytes_max < 1 ||
      spec.text_bytes_max > static_cast<std::int64_t>(BertSplitter::kTextBytesMax)) {
    return InvalidArgument("texts of at most " + std::to_string(spec.text_bytes_max) +
                           " bytes: 1 to " + std::to_string(BertSplitter::kTextBytesMax) +
                           " are possible");
  }
  const std::size_t added = std::max(AddedCount(spec.single), AddedCount(spec.pair));
  if (spec.length_max < 0 ||
      (spec.length_max > 0 && static_cast<std::size_t>(spec.length_max) < added)) {
    return InvalidArgument("a length of at most " + std::to_string(spec.length_max) +
                           " has no room for the " + std::to_string(added) +
                           " ids that the template adds");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<TextEncoder>> TextEncoder::Create(const TokenizerSpec& spec) {
  RETURN_IF_ERROR(CheckLimits(spec));
  const auto* const word_piece = std::get_if<WordPieceSpec>(&spec.model);
  ASSIGN_OR_RETURN(std::unique_ptr<PieceModel> model,
                   word_piece != nullptr
                       ? MakeWordPieceModel(*word_piece)
                       : MakeByteLevelModel(std::get<ByteLevelBpeSpec>(spec.model)));
  return std::unique_ptr<TextEncoder>(new TextEncoder(spec, std::move(model)));
}

TextEncoder::TextEncoder(const TokenizerSpec& spec, std::unique_ptr<PieceModel> model)
    : model_(std::move(model)),
      tokens_(spec.added_tokens, /*normalized=*/false),
      normalized_tokens_(spec.added_tokens, /*normalized=*/true),
      single_(spec.single),
      pair_(spec.pair),
      length_max_(spec.length_max == 0 ? kAllIds : static_cast<std::size_t>(spec.length_max)),
      truncation_(spec.truncation),
      truncate_left_(spec.truncate_left),
      text_bytes_max_(static_cast<std::size_t>(spec.text_bytes_max)) {}

Status TextEncoder::EncodeRows(std::span<const std::string_view> first,
                               std::span<const std::string_view> second,
                               std::unique_ptr<TextScratch>& scratch, EncodedTexts* encoded) const {
  encoded->ids.clear();
  encoded->type_ids.clear();
  encoded->ends.clear();
  if (scratch == nullptr) scratch = std::make_unique<TextScratch>();
  Status status;
  for (std::size_t i = 0; i < first.size() && status.ok(); ++i) {
    // The texts of a batch lie apart, and each is short.
    if (i + 2 < first.size()) {
      __builtin_prefetch(first[i + 2].data());
      __builtin_prefetch(first[i + 2].data() + kCacheLine);
      __builtin_prefetch(first[i + 2].data() + 2 * kCacheLine);
    }
    status = Encode(first[i], second.empty() ? nullptr : &second[i], *scratch, encoded);
    if (!status.ok()) status = status.Under(StrCat("row ", i, ": "));
  }
  const auto is_long = [](std::string_view text) { return text.size() > kKeptTextBytes; };
  if (std::ranges::any_of(first, is_long) || std::ranges::any_of(second, is_long)) scratch.reset();
  return status;
}

Status TextEncoder::Encode(std::string_view first, const std::string_view* second,
                           TextScratch& scratch, EncodedTexts* encoded) const {
  const bool is_pair = second != nullptr;
  // What is cut off at the right of a lone text need not be encoded.
  const std::size_t enough = is_pair || truncate_left_ ? kAllIds : length_max_;
  RETURN_IF_ERROR(
      AppendText(first, is_pair ? "the first text" : "the text", enough, scratch, &scratch.first));
  scratch.second.Clear();
  if (is_pair) {
    RETURN_IF_ERROR(AppendText(*second, "the second text", enough, scratch, &scratch.second));
  }
  Lengths lengths{.first = scratch.first.count(), .second = scratch.second.count()};
  RETURN_IF_ERROR(Truncate(is_pair, &lengths));
  const auto kept = [this](const IdBuffer& ids, std::size_t length) {
    return truncate_left_ ? ids.ids().last(length) : ids.ids().first(length);
  };
  for (const Part& part : is_pair ? pair_ : single_) {
    const std::span<const std::uint32_t> ids =
        part.kind == Part::Kind::kFirst    ? kept(scratch.first, lengths.first)
        : part.kind == Part::Kind::kSecond ? kept(scratch.second, lengths.second)
                                           : std::span(part.ids);
    encoded->ids.insert(encoded->ids.end(), ids.begin(), ids.end());
    encoded->type_ids.insert(encoded->type_ids.end(), ids.size(), part.type_id);
  }
  encoded->ends.push_back(encoded->ids.size());
  return {};
}

std::size_t TextEncoder::LengthMax(bool is_pair) const {
  if (length_max_ != kAllIds) return length_max_;
  // A character of two bytes can become three, each with an id of its own, and a space may be put
  // before a text.
  const std::size_t of_text = 2 * text_bytes_max_ + 1;
  return is_pair ? AddedCount(pair_) + 2 * of_text : AddedCount(single_) + of_text;
}

Status TextEncoder::AppendText(std::string_view text, std::string_view which, std::size_t enough,
                               TextScratch& scratch, IdBuffer* ids) const {
  ids->Clear();
  if (text.size() > text_bytes_max_) {
    return InvalidArgument(
        StrCat(which, " has ", text.size(), " bytes, at most ", text_bytes_max_, " are taken"));
  }
  const char* failed_piece = nullptr;
  std::size_t failed_at = 0;
  const auto piece = [&](std::string_view rest) {
    if (model_->Append(rest, enough, scratch, ids, &failed_at)) return ids->count() < enough;
    failed_piece = rest.data();
    return false;
  };
  const auto token = [&](std::uint32_t id) {
    *ids->Room(1) = id;
    ids->SetEnd(ids->Room(1) + 1);
    return ids->count() < enough;
  };
  tokens_.Split(
      text, [&](std::string_view rest) { return normalized_tokens_.Split(rest, piece, token); },
      token);
  if (failed_piece == nullptr) return {};
  const std::size_t at = static_cast<std::size_t>(failed_piece - text.data()) + failed_at;
  return InvalidArgument(StrCat(which, " is not UTF-8: byte ", static_cast<std::uint8_t>(text[at]),
                                " at offset ", at));
}

Status TextEncoder::Truncate(bool is_pair, Lengths* lengths) const {
  if (length_max_ == kAllIds) return {};
  const std::size_t room = length_max_ - AddedCount(is_pair ? pair_ : single_);
  const std::size_t total = lengths->first + lengths->second;
  if (total <= room) return {};
  if (truncation_ != TextTruncation::kLongestFirst) {
    const bool only_first = truncation_ == TextTruncation::kOnlyFirst;
    if (!only_first && !is_pair) {
      return InvalidArgument("only the second text is to be cut, and there is none");
    }
    std::size_t& cut = only_first ? lengths->first : lengths->second;
    const std::size_t too_many = total - room;
    if (cut <= too_many) {
      return InvalidArgument(std::string("the ") + (only_first ? "first" : "second") +
                             " text has " + std::to_string(cut) + " ids, of which " +
                             std::to_string(too_many) + " are too many");
    }
    cut -= too_many;
    return {};
  }
  if (!is_pair) {
    lengths->first = room;
    return {};
  }
  // The shorter one stays whole where it can. Of equal ones the second keeps the odd id.
  const bool swapped = lengths->first > lengths->second;
  std::size_t& shorter = swapped ? lengths->second : lengths->first;
  std::size_t& longer = swapped ? lengths->first : lengths->second;
  if (shorter <= room / 2) {
    longer = room - shorter;
  } else {
    shorter = room / 2;
    longer = room - shorter;
  }
  return {};
}

}  // namespace penstock::preprocess
