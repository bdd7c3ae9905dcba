// penstock::Tokenizer: batches of texts over TextEncoder, and a scratch for each thread that is at
// work.
#include <mutex>
#include <string>
#include <utility>

#include <penstock/tokenizer.h>

#include "base/status.h"
#include "preprocess/text/text_encoder.h"

namespace penstock {
namespace {

using preprocess::TextEncoder;
using preprocess::TextScratch;

class TokenizerImpl final : public Tokenizer {
 public:
  explicit TokenizerImpl(std::unique_ptr<TextEncoder> encoder) : encoder_(std::move(encoder)) {}

  bool Encode(std::span<const std::string_view> first, std::span<const std::string_view> second,
              EncodedTexts* encoded, Error* error) const override {
    std::unique_ptr<TextScratch> scratch = Take();
    const Status status = encoder_->EncodeRows(first, second, scratch, encoded);
    if (scratch != nullptr) Return(std::move(scratch));
    if (status.ok()) return true;
    *error = {.code = static_cast<int>(status.code()), .message = std::string(status.message())};
    return false;
  }

 private:
  // As many as ever ran at once; null where none is free.
  std::unique_ptr<TextScratch> Take() const {
    const std::lock_guard lock(mu_);
    if (free_.empty()) return nullptr;
    std::unique_ptr<TextScratch> scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }
  void Return(std::unique_ptr<TextScratch> scratch) const {
    const std::lock_guard lock(mu_);
    free_.push_back(std::move(scratch));
  }

  const std::unique_ptr<TextEncoder> encoder_;
  mutable std::mutex mu_;
  mutable std::vector<std::unique_ptr<TextScratch>> free_;  // guarded by mu_
};

}  // namespace

std::unique_ptr<Tokenizer> Tokenizer::Create(const TokenizerSpec& spec, Error* error) {
  Result<std::unique_ptr<TextEncoder>> encoder = TextEncoder::Create(spec);
  if (!encoder.ok()) {
    *error = {.code = static_cast<int>(encoder.status().code()),
              .message = std::string(encoder.status().message())};
    return nullptr;
  }
  return std::make_unique<TokenizerImpl>(std::move(encoder).value());
}

}  // namespace penstock
