#include "tensor/arena.h"

#include <algorithm>
#include <new>

#include "base/align.h"

namespace penstock {
namespace {

constexpr std::size_t kBlockMin = std::size_t{64} << 10;

}  // namespace

void TensorArena::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, std::align_val_t{kAlignment});
}

std::span<std::byte> TensorArena::Get(std::size_t size) {
  const std::size_t needed = AlignedUp(size, kAlignment);
  if (blocks_.empty() || blocks_.back().size - used_ < needed) {
    full_ += used_;
    AddBlock(std::max({needed, capacity_, kBlockMin}));
  }
  std::byte* const at = blocks_.back().memory.get() + used_;
  used_ += needed;
  return {at, size};
}

void TensorArena::Clear() {
  used_max_ = std::max(used_max_, full_ + used_);
  used_ = full_ = 0;
  if (blocks_.size() > 1) BecomeOneBlock(capacity_);
  if (++runs_ < kRunsRemembered) return;
  const std::size_t enough = std::max(used_max_, kBlockMin);
  if (capacity_ / 4 > enough) BecomeOneBlock(enough);
  used_max_ = 0;
  runs_ = 0;
}

void TensorArena::BecomeOneBlock(std::size_t size) {
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
