#include "tensor/arena.h"

#include <algorithm>
#include <new>

namespace penstock {
namespace {

constexpr std::size_t kBlockMin = std::size_t{64} << 10;

std::size_t Padded(std::size_t size) {
  return (size + TensorArena::kAlignment - 1) / TensorArena::kAlignment * TensorArena::kAlignment;
}

}  // namespace

void TensorArena::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, std::align_val_t{kAlignment});
}

std::span<std::byte> TensorArena::Get(std::size_t size) {
  const std::size_t needed = Padded(size);
  if (blocks_.empty() || blocks_.back().size - used_ < needed) {
    AddBlock(std::max({needed, capacity_, kBlockMin}));
  }
  std::byte* const at = blocks_.back().memory.get() + used_;
  used_ += needed;
  return {at, size};
}

void TensorArena::Clear() {
  used_ = 0;
  if (blocks_.size() <= 1) return;
  const std::size_t size = capacity_;
  blocks_.clear();
  capacity_ = 0;
  AddBlock(size);
}

void TensorArena::AddBlock(std::size_t size) {
  auto* const memory = static_cast<std::byte*>(::operator new(size, std::align_val_t{kAlignment}));
  blocks_.push_back({.memory = std::unique_ptr<std::byte[], Free>(memory), .size = size});
  capacity_ += size;
  used_ = 0;
}

}  // namespace penstock
