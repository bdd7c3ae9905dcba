// Bytes to send, in order: own ones (frame headers, small payloads) and borrowed ones (large
// payloads, kept alive by their owner). Used by one thread at a time.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace penstock {

class ByteQueue final {
 public:
  bool empty() const { return pending_bytes_ == 0; }
  std::size_t pending_bytes() const { return pending_bytes_; }
  std::size_t own_capacity() const { return own_.capacity(); }

  // Prepares for n own bytes in all.
  void Reserve(std::size_t n) { own_.reserve(own_.size() + n); }
  // Room for n own bytes at the end, to be written before the next call.
  std::byte* Extend(std::size_t n);
  // Copies.
  void Append(std::span<const std::byte> bytes);
  // Keeps `owner` until the bytes are sent or copied.
  void AppendBorrowed(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  // Fills up to slices.size() entries with what comes next; returns how many.
  std::size_t Slices(std::span<iovec> slices) const;
  // The first n bytes left: they are gone from the queue.
  void Sent(std::size_t n);
  // Moves the first n bytes to the end of `other`: own ones are copied, borrowed ones keep their
  // owner there.
  void MoveTo(std::size_t n, ByteQueue& other);
  // Turns borrowed bytes into own ones and lets their owners go: for a peer that reads slowly.
  void CopyBorrowed();
  void Clear();

 private:
  // Own bytes are named by their place in own_, which may move; borrowed ones by address.
  struct Segment {
    const std::byte* borrowed = nullptr;
    std::size_t own_offset = 0;
    std::size_t size = 0;
    std::shared_ptr<const void> owner;
  };
  const std::byte* Address(const Segment& segment) const {
    return segment.borrowed != nullptr ? segment.borrowed : own_.data() + segment.own_offset;
  }
  void Skip(std::size_t n);
  void Compact();
  void CompactIfWorthIt();

  std::vector<std::byte> own_;
  std::vector<Segment> segments_;
  std::size_t first_ = 0;  // segments before it are sent
  std::size_t pending_bytes_ = 0;
  std::size_t borrowed_count_ = 0;
  std::size_t own_sent_ = 0;  // bytes at the front of own_ that are sent
};

}  // namespace penstock
