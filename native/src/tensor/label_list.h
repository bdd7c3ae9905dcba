// Names for the indices that a model answers with. Immutable; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/bytes.h"

namespace penstock {

class LabelList final {
 public:
  LabelList() = default;
  explicit LabelList(const std::vector<std::string>& labels) {
    offsets_.reserve(labels.size() + 1);
    std::size_t size = 0;
    for (const std::string& label : labels) size += kBytesLengthSize + label.size();
    encoded_.resize(size);
    std::byte* to = encoded_.data();
    offsets_.push_back(0);
    for (const std::string& label : labels) {
      to = PutBytesElement(to, std::as_bytes(std::span(label)));
      offsets_.push_back(static_cast<std::size_t>(to - encoded_.data()));
    }
  }

  std::size_t size() const { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  bool empty() const { return size() == 0; }
  // As an element of a BYTES tensor.
  std::span<const std::byte> Encoded(std::size_t index) const {
    return std::span(encoded_).subspan(offsets_[index], offsets_[index + 1] - offsets_[index]);
  }
  std::string_view operator[](std::size_t index) const {
    const std::span<const std::byte> text = Encoded(index).subspan(kBytesLengthSize);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

 private:
  std::vector<std::byte> encoded_;
  std::vector<std::size_t> offsets_;  // of each label in it, and its end
};

}  // namespace penstock
