#include "preprocess/text/text_padding.h"

namespace penstock {

std::size_t PaddedLength(const EncodedTexts& encoded, const TextPadding& padding) {
  std::size_t longest = 0;
  std::size_t start = 0;
  for (const std::size_t end : encoded.ends) {
    longest = std::max(longest, end - start);
    start = end;
  }
  return preprocess::PaddedLength(longest, padding);
}

void FillPadded(const EncodedTexts& encoded, const TextPadding& padding, std::size_t length,
                TextTensor tensor, std::int64_t* to) {
  preprocess::FillPaddedAs(encoded, padding, length, tensor, to);
}

}  // namespace penstock
