#include "base/block_pool.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/align.h"

namespace penstock {

BlockPool::~BlockPool() {
  for (Header* header : free_) {
    while (header != nullptr) {
      Header* const next = header->next;
      ::operator delete(header);
      header = next;
    }
  }
}

void* BlockPool::Allocate(std::size_t size) {
  const std::size_t capacity = std::max(kStep, AlignedUp(size, kStep));
  if (ClassOf(capacity) < kClasses) {
    Header*& free = free_[ClassOf(capacity)];
    if (free != nullptr) {
      Header* const header = free;
      free = header->next;
      cached_bytes_ -= capacity;
      return header + 1;
    }
  }
  auto* const header = static_cast<Header*>(::operator new(sizeof(Header) + capacity));
  header->capacity = capacity;
  return header + 1;
}

void BlockPool::Free(void* block) {
  if (block == nullptr) return;
  Header* const header = static_cast<Header*>(block) - 1;
  const std::size_t capacity = header->capacity;
  if (ClassOf(capacity) >= kClasses || cached_bytes_ + capacity > kCachedBytesMax) {
    ::operator delete(header);
    return;
  }
  header->next = free_[ClassOf(capacity)];
  free_[ClassOf(capacity)] = header;
  cached_bytes_ += capacity;
}

void* BlockPool::Reallocate(void* block, std::size_t size) {
  if (block == nullptr) return Allocate(size);
  const std::size_t capacity = (static_cast<Header*>(block) - 1)->capacity;
  if (size <= capacity) return block;
  void* const larger = Allocate(size);
  std::memcpy(larger, block, capacity);
  Free(block);
  return larger;
}

}  // namespace penstock
