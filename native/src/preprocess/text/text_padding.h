// Encodings of different lengths as rows of one length. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <penstock/tokenizer.h>

namespace penstock::preprocess {

// The least length from `length` on that `padding` allows.
inline std::size_t PaddedLength(std::size_t length, const TextPadding& padding) {
  const auto multiple = static_cast<std::size_t>(padding.multiple_of);
  length = std::max(length, static_cast<std::size_t>(padding.length_min));
  return (length + multiple - 1) / multiple * multiple;
}

// What stands in the padding of `tensor`.
inline std::int64_t PadOf(const TextPadding& padding, TextTensor tensor) {
  switch (tensor) {
    case TextTensor::kIds:
      return padding.id;
    case TextTensor::kTypeIds:
      return padding.type_id;
    case TextTensor::kMask:
      break;
  }
  return 0;
}

// What FillPadded does, in elements of any integer type.
template <typename Element>
void FillPaddedAs(const EncodedTexts& encoded, const TextPadding& padding, std::size_t length,
                  TextTensor tensor, Element* to) {
  const auto pad = static_cast<Element>(PadOf(padding, tensor));
  const auto fill = [&](const auto& value_at) {
    std::size_t at = 0;
    for (const std::size_t end : encoded.ends) {
      const std::size_t room = length - (end - at);
      if (padding.left) to = std::fill_n(to, room, pad);
      for (; at < end; ++at) *to++ = value_at(at);
      if (!padding.left) to = std::fill_n(to, room, pad);
    }
  };
  switch (tensor) {
    case TextTensor::kIds:
      fill([&](std::size_t at) { return static_cast<Element>(encoded.ids[at]); });
      return;
    case TextTensor::kMask:
      fill([](std::size_t) { return Element{1}; });
      return;
    case TextTensor::kTypeIds:
      fill([&](std::size_t at) { return static_cast<Element>(encoded.type_ids[at]); });
      return;
  }
}

}  // namespace penstock::preprocess
