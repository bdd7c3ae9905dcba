// A text, or a pair of them, into ids: added tokens, the model, truncation, template. Constant
// after construction; any thread, each with a scratch of its own. Throws nothing, and allocates
// only where a text is longer than any before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <penstock/tokenizer.h>

#include "base/status.h"
#include "preprocess/text/added_tokens.h"
#include "preprocess/text/bert_splitter.h"
#include "preprocess/text/byte_pair.h"

namespace penstock::preprocess {

// Ids of one text, without those of the template. Room is kept for the next.
class IdBuffer final {
 public:
  void Clear() { count_ = 0; }
  std::size_t count() const { return count_; }
  std::span<const std::uint32_t> ids() const { return std::span(room_).first(count_); }
  // Where up to `more` ids may be written; SetEnd says where they end.
  std::uint32_t* Room(std::size_t more) {
    if (room_.size() < count_ + more) room_.resize((count_ + more) * 2);
    return room_.data() + count_;
  }
  void SetEnd(const std::uint32_t* end) { count_ = static_cast<std::size_t>(end - room_.data()); }

 private:
  std::vector<std::uint32_t> room_;
  std::size_t count_ = 0;
};

struct TextScratch {
  BertSplitter splitter;
  BytePairScratch byte_pair;
  std::string prefixed;  // a piece of text with a space before it
  IdBuffer first;
  IdBuffer second;
};

inline constexpr std::size_t kAllIds = std::numeric_limits<std::size_t>::max();

// What WordPiece and byte-level BPE have in common: text between added tokens into ids.
class PieceModel {
 public:
  PieceModel() = default;
  PieceModel(const PieceModel&) = delete;
  PieceModel& operator=(const PieceModel&) = delete;
  virtual ~PieceModel() = default;

  // May stop once `ids` has `enough` of them. Fails where the piece is not UTF-8, and then says at
  // which of its bytes.
  virtual bool Append(std::string_view piece, std::size_t enough, TextScratch& scratch,
                      IdBuffer* ids, std::size_t* failed_at) const = 0;
};

class TextEncoder final {
 public:
  static Result<std::unique_ptr<TextEncoder>> Create(const TokenizerSpec& spec);

  // Replaces `encoded` by the encodings of texts, or of pairs where `second` is as long as `first`;
  // else it is empty. Stops at the first row that fails, which the message names. `scratch` is made
  // where it is null, and let go after texts so long that it should not stay as large.
  Status EncodeRows(std::span<const std::string_view> first,
                    std::span<const std::string_view> second, std::unique_ptr<TextScratch>& scratch,
                    EncodedTexts* encoded) const;
  // Appends the encoding of `first`, or of the pair of it and `*second`, to `encoded`.
  Status Encode(std::string_view first, const std::string_view* second, TextScratch& scratch,
                EncodedTexts* encoded) const;

  // No encoding of a text, or of a pair, is longer.
  std::size_t LengthMax(bool is_pair) const;

 private:
  TextEncoder(const TokenizerSpec& spec, std::unique_ptr<PieceModel> model);

  // `which` text it is, for messages.
  Status AppendText(std::string_view text, std::string_view which, std::size_t enough,
                    TextScratch& scratch, IdBuffer* ids) const;
  // How many ids of each stay.
  struct Lengths {
    std::size_t first = 0;
    std::size_t second = 0;
  };
  Status Truncate(bool is_pair, Lengths* lengths) const;

  const std::unique_ptr<PieceModel> model_;
  const AddedTokens tokens_;
  const AddedTokens normalized_tokens_;
  const std::vector<TemplatePart> single_;
  const std::vector<TemplatePart> pair_;
  const std::size_t length_max_;
  const TextTruncation truncation_;
  const bool truncate_left_;
  const std::size_t text_bytes_max_;
};

}  // namespace penstock::preprocess
