// Small blocks of memory that come and go with every call (stream state, header lists): size
// classes with free lists, for one thread. The system's allocator serves a loop well while few
// calls are open; with a hundred its caches overflow, and it costs 8 % of a small request.
#pragma once

#include <array>
#include <cstddef>

namespace penstock {

class BlockPool final {
 public:
  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  // Every block must have been freed.
  ~BlockPool();

  // Aligned for any fundamental type. Never null: exhausted memory throws std::bad_alloc.
  void* Allocate(std::size_t size);
  // What Allocate gave; null is fine.
  void Free(void* block);
  // Keeps the contents up to the smaller size.
  void* Reallocate(void* block, std::size_t size);

 private:
  static constexpr std::size_t kStep = 64;
  static constexpr std::size_t kClasses = 32;  // blocks up to 2 KiB; larger ones are the system's
  // Kept for reuse; past it, blocks go back to the system so that a peak does not stay.
  static constexpr std::size_t kCachedBytesMax = std::size_t{8} << 20;

  // Stands before every block. A free block's header links it to the next one.
  struct alignas(std::max_align_t) Header {
    std::size_t capacity;
    Header* next;
  };
  static std::size_t ClassOf(std::size_t capacity) { return capacity / kStep - 1; }

  std::array<Header*, kClasses> free_{};
  std::size_t cached_bytes_ = 0;
};

}  // namespace penstock
