#include "base/byte_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace penstock {

std::byte* ByteQueue::Extend(std::size_t n) {
  const std::size_t offset = own_.size();
  own_.resize(offset + n);
  pending_bytes_ += n;
  if (segments_.size() > first_) {
    Segment& last = segments_.back();
    if (last.borrowed == nullptr && last.own_offset + last.size == offset) {
      last.size += n;
      return own_.data() + offset;
    }
  }
  segments_.push_back({.own_offset = offset, .size = n, .owner = nullptr});
  return own_.data() + offset;
}

void ByteQueue::Append(std::span<const std::byte> bytes) {
  if (!bytes.empty()) std::memcpy(Extend(bytes.size()), bytes.data(), bytes.size());
}

void ByteQueue::AppendBorrowed(std::span<const std::byte> bytes,
                               std::shared_ptr<const void> owner) {
  if (bytes.empty()) return;
  segments_.push_back({.borrowed = bytes.data(), .size = bytes.size(), .owner = std::move(owner)});
  pending_bytes_ += bytes.size();
  ++borrowed_count_;
}

std::size_t ByteQueue::Slices(std::span<iovec> slices) const {
  std::size_t count = 0;
  for (std::size_t i = first_; i < segments_.size() && count < slices.size(); ++i) {
    // iovec has no const form; writev only reads.
    slices[count++] = {const_cast<std::byte*>(Address(segments_[i])), segments_[i].size};
  }
  return count;
}

void ByteQueue::Sent(std::size_t n) {
  CHECK_LE(n, pending_bytes_);
  if (n == pending_bytes_) {
    Clear();
    return;
  }
  while (n > 0) {
    const std::size_t part = std::min(n, segments_[first_].size);
    Skip(part);
    n -= part;
  }
  CompactIfWorthIt();
}

// A queue that is never quite empty must not keep what it has sent.
void ByteQueue::CompactIfWorthIt() {
  constexpr std::size_t kSentBytesMax = std::size_t{256} << 10;
  constexpr std::size_t kSentSegmentsMax = 1024;
  const bool many_segments = first_ > kSentSegmentsMax && first_ > segments_.size() / 2;
  if (own_sent_ > kSentBytesMax || many_segments) Compact();
}

// Moves the own bytes that are left to the front.
void ByteQueue::Compact() {
  segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
  std::size_t end = 0;
  for (Segment& segment : segments_) {
    if (segment.borrowed != nullptr) continue;
    std::memmove(own_.data() + end, own_.data() + segment.own_offset, segment.size);
    segment.own_offset = end;
    end += segment.size;
  }
  own_.resize(end);
  own_sent_ = 0;
}

void ByteQueue::MoveTo(std::size_t n, ByteQueue& other) {
  CHECK_LE(n, pending_bytes_);
  while (n > 0) {
    Segment& segment = segments_[first_];
    const std::size_t part = std::min(n, segment.size);
    if (segment.borrowed != nullptr) {
      other.AppendBorrowed({segment.borrowed, part}, segment.owner);
    } else {
      other.Append({Address(segment), part});
    }
    Skip(part);
    n -= part;
  }
  if (pending_bytes_ == 0) {
    Clear();
  } else {
    CompactIfWorthIt();
  }
}

// Drops the first n bytes, all of one segment.
void ByteQueue::Skip(std::size_t n) {
  Segment& segment = segments_[first_];
  pending_bytes_ -= n;
  segment.size -= n;
  if (segment.borrowed != nullptr) {
    segment.borrowed += n;
  } else {
    segment.own_offset += n;
    own_sent_ = segment.own_offset;
  }
  if (segment.size > 0) return;
  if (segment.borrowed != nullptr) --borrowed_count_;
  segment.owner.reset();
  ++first_;
}

void ByteQueue::CopyBorrowed() {
  if (borrowed_count_ == 0) return;
  std::vector<std::byte> copy;
  copy.reserve(pending_bytes_);
  for (std::size_t i = first_; i < segments_.size(); ++i) {
    const std::byte* from = Address(segments_[i]);
    copy.insert(copy.end(), from, from + segments_[i].size);
  }
  Clear();
  own_ = std::move(copy);
  segments_.push_back({.own_offset = 0, .size = own_.size(), .owner = nullptr});
  pending_bytes_ = own_.size();
}

void ByteQueue::Clear() {
  segments_.clear();
  first_ = 0;
  borrowed_count_ = 0;
  pending_bytes_ = 0;
  own_sent_ = 0;
  // A burst's memory is not kept for ever.
  constexpr std::size_t kKeptMax = std::size_t{256} << 10;
  if (own_.capacity() > kKeptMax) {
    own_ = std::vector<std::byte>();
  } else {
    own_.clear();
  }
}

}  // namespace penstock
