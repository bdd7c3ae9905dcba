// penstock::Tokenizer: batches of texts over TextEncoder, and a scratch for each thread that is at
// work.
#include <algorithm>
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

// What a longer text made a scratch grow to is not kept.
constexpr std::size_t kKeptTextBytes = std::size_t{64} << 10;

constexpr std::size_t kCacheLine = 64;

class TokenizerImpl final : public Tokenizer {
 public:
  explicit TokenizerImpl(std::unique_ptr<TextEncoder> encoder) : encoder_(std::move(encoder)) {}

  bool Encode(std::span<const std::string_view> first, std::span<const std::string_view> second,
              EncodedTexts* encoded, Error* error) const override {
    encoded->ids.clear();
    encoded->type_ids.clear();
    encoded->ends.clear();
    std::unique_ptr<TextScratch> scratch = Take();
    Status status;
    for (std::size_t i = 0; i < first.size() && status.ok(); ++i) {
      // The texts of a batch lie apart, and each is short.
      if (i + 2 < first.size()) {
        __builtin_prefetch(first[i + 2].data());
        __builtin_prefetch(first[i + 2].data() + kCacheLine);
        __builtin_prefetch(first[i + 2].data() + 2 * kCacheLine);
      }
      status = encoder_->Encode(first[i], second.empty() ? nullptr : &second[i], *scratch, encoded);
      if (!status.ok()) {
        *error = {.code = static_cast<int>(status.code()),
                  .message = "row " + std::to_string(i) + ": " + std::string(status.message())};
      }
    }
    const auto is_long = [](std::string_view text) { return text.size() > kKeptTextBytes; };
    if (std::ranges::none_of(first, is_long) && std::ranges::none_of(second, is_long)) {
      Return(std::move(scratch));
    }
    return status.ok();
  }

 private:
  // As many as ever ran at once.
  std::unique_ptr<TextScratch> Take() const {
    {
      const std::lock_guard lock(mu_);
      if (!free_.empty()) {
        std::unique_ptr<TextScratch> scratch = std::move(free_.back());
        free_.pop_back();
        return scratch;
      }
    }
    return std::make_unique<TextScratch>();
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
