// See output_queue.h.
#include "replay/output_queue.h"

#include "base/check.h"

namespace penstock::bench {

std::uint8_t* OutputQueue::Append(std::size_t size) {
  const std::size_t offset = own_.size();
  own_.resize(offset + size);
  if (!empty() && slices_.back().borrowed == nullptr) {
    slices_.back().size += size;
  } else {
    slices_.push_back({nullptr, offset, size});
  }
  return own_.data() + offset;
}

void OutputQueue::Borrow(std::span<const std::uint8_t> bytes) {
  slices_.push_back({bytes.data(), 0, bytes.size()});
}

std::size_t OutputQueue::Pieces(std::span<iovec> out) const {
  std::size_t count = 0;
  std::size_t skip = first_sent_;
  for (std::size_t i = first_; i < slices_.size() && count < out.size(); ++i) {
    const Slice& slice = slices_[i];
    const std::uint8_t* data =
        slice.borrowed != nullptr ? slice.borrowed : own_.data() + slice.offset;
    // writev takes a non-const pointer but only reads.
    out[count++] = {const_cast<std::uint8_t*>(data + skip), slice.size - skip};
    skip = 0;
  }
  return count;
}

void OutputQueue::Sent(std::size_t size) {
  while (size > 0) {
    CHECK(first_ < slices_.size());
    const std::size_t left = slices_[first_].size - first_sent_;
    if (size < left) {
      first_sent_ += size;
      return;
    }
    size -= left;
    first_sent_ = 0;
    ++first_;
  }
  if (!empty()) return;
  // In a closed loop the queue runs empty every turn, so nothing needs to be moved to the front.
  own_.clear();
  slices_.clear();
  first_ = 0;
}

}  // namespace penstock::bench
