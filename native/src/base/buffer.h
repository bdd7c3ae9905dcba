// Message buffers: owned bytes from a pool that one loop uses alone. A Buffer returns to its pool
// when it dies, on that loop; the pool counts what is out, zero at rest.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace penstock {

class BufferPool;

// Move-only. Empty (no memory) after default construction or move.
class Buffer final {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { Reset(); }

  bool valid() const { return memory_ != nullptr; }
  std::byte* data() { return memory_ + offset_; }
  const std::byte* data() const { return memory_ + offset_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_ - offset_; }
  std::span<const std::byte> bytes() const { return {data(), size_}; }
  // What can be written behind the contents.
  std::span<std::byte> tail() { return {data() + size_, capacity() - size_}; }
  void set_size(std::size_t size) { size_ = size; }
  // Gives the memory back.
  void Reset() {
    if (valid()) Return();
  }

 private:
  friend class BufferPool;
  void Return();

  BufferPool* pool_ = nullptr;
  std::byte* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t offset_ = 0;
  std::size_t size_ = 0;
};

class BufferPool final {
 public:
  // Memory starts at a multiple of this: what vectorised kernels like best.
  static constexpr std::size_t kAlignment = 64;

  BufferPool() = default;
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // A buffer of at least `capacity` bytes whose byte `aligned_at` stands on kAlignment.
  Buffer Get(std::size_t capacity, std::size_t aligned_at = 0);
  // Moves the contents to a buffer of at least `capacity` bytes; the alignment stays.
  void Grow(Buffer& buffer, std::size_t capacity);

  // Buffers not yet returned. Any thread; exact once the loop rests.
  std::int64_t live() const { return live_.load(std::memory_order_relaxed); }

 private:
  friend class Buffer;
  static constexpr std::size_t kClassMin = 9;   // 512 B: a small request
  static constexpr std::size_t kClassMax = 21;  // 2 MiB: an image tensor or two
  // Kept per pool for reuse; past it, memory goes back to the system so that a peak does not stay.
  static constexpr std::size_t kCachedBytesMax = std::size_t{32} << 20;

  std::byte* Allocate(std::size_t capacity, std::size_t& allocated);
  void Free(std::byte* memory, std::size_t allocated);

  std::array<std::vector<std::byte*>, kClassMax + 1> free_;
  std::size_t cached_bytes_ = 0;
  // Written by the loop alone, read by anyone: no ordering is implied by a count.
  std::atomic<std::int64_t> live_{0};
};

}  // namespace penstock
