#include "base/buffer.h"

#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"

namespace penstock {

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  Reset();
  pool_ = std::exchange(other.pool_, nullptr);
  memory_ = std::exchange(other.memory_, nullptr);
  capacity_ = std::exchange(other.capacity_, 0);
  offset_ = std::exchange(other.offset_, 0);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

void Buffer::Return() {
  pool_->Free(std::exchange(memory_, nullptr), capacity_);
  capacity_ = offset_ = size_ = 0;
}

BufferPool::~BufferPool() {
  CHECK_EQ(live(), 0);
  for (const std::vector<std::byte*>& memory_of_class : free_) {
    for (std::byte* memory : memory_of_class) {
      ::operator delete(memory, std::align_val_t{kAlignment});
    }
  }
}

Buffer BufferPool::Get(std::size_t capacity, std::size_t aligned_at) {
  Buffer buffer;
  buffer.pool_ = this;
  buffer.offset_ = (kAlignment - aligned_at % kAlignment) % kAlignment;
  buffer.memory_ = Allocate(capacity + buffer.offset_, buffer.capacity_);
  return buffer;
}

void BufferPool::Grow(Buffer& buffer, std::size_t capacity) {
  Buffer larger;
  larger.pool_ = this;
  larger.offset_ = buffer.offset_;
  larger.memory_ = Allocate(capacity + buffer.offset_, larger.capacity_);
  larger.size_ = buffer.size_;
  std::memcpy(larger.data(), buffer.data(), buffer.size_);
  buffer = std::move(larger);
}

std::byte* BufferPool::Allocate(std::size_t capacity, std::size_t& allocated) {
  live_.store(live_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  std::size_t size_class = static_cast<std::size_t>(std::bit_width(capacity - 1));
  if (size_class < kClassMin) size_class = kClassMin;
  if (size_class <= kClassMax) {
    allocated = std::size_t{1} << size_class;
    if (!free_[size_class].empty()) {
      std::byte* memory = free_[size_class].back();
      free_[size_class].pop_back();
      cached_bytes_ -= allocated;
      return memory;
    }
  } else {
    allocated = capacity;
  }
  return static_cast<std::byte*>(::operator new(allocated, std::align_val_t{kAlignment}));
}

void BufferPool::Free(std::byte* memory, std::size_t allocated) {
  live_.store(live_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  const auto size_class = static_cast<std::size_t>(std::bit_width(allocated - 1));
  if (size_class <= kClassMax && cached_bytes_ + allocated <= kCachedBytesMax) {
    free_[size_class].push_back(memory);
    cached_bytes_ += allocated;
    return;
  }
  ::operator delete(memory, std::align_val_t{kAlignment});
}

}  // namespace penstock
