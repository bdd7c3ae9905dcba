// Bytes that wait to be written to one socket: own small ones and borrowed large ones in order, so
// that a recorded 602 KB message is never copied. One thread; knows no socket.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace penstock::bench {

class OutputQueue final {
 public:
  bool empty() const { return first_ == slices_.size(); }

  // Room for `size` own bytes at the end of the queue; valid until the next call.
  std::uint8_t* Append(std::size_t size);

  // Queues bytes that the caller keeps alive and unchanged until they are sent.
  void Borrow(std::span<const std::uint8_t> bytes);

  // The next bytes to write, as at most `out.size()` pieces; returns how many pieces.
  std::size_t Pieces(std::span<iovec> out) const;

  // The socket took `size` of them.
  void Sent(std::size_t size);

 private:
  struct Slice {
    const std::uint8_t* borrowed;  // null: own bytes
    std::size_t offset;            // of own bytes, in own_
    std::size_t size;
  };

  std::vector<std::uint8_t> own_;
  std::vector<Slice> slices_;
  std::size_t first_ = 0;       // slices before this one are sent
  std::size_t first_sent_ = 0;  // bytes of slices_[first_] that are sent
};

}  // namespace penstock::bench
