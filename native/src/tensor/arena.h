// Memory for the tensors that one run makes on its way: handed out piece by piece, taken back all
// at once. One thread at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace penstock {

class TensorArena final {
 public:
  // Kernels read a tensor best from there on.
  static constexpr std::size_t kAlignment = 64;
  // So many small runs are no accident, and what they pay for a large one that follows is little.
  static constexpr int kRunsRemembered = 64;

  TensorArena() = default;
  TensorArena(const TensorArena&) = delete;
  TensorArena& operator=(const TensorArena&) = delete;

  // Uninitialised, aligned to kAlignment, valid until Clear. Pieces whose size is a multiple of
  // kAlignment stand one after another where they come out of one block.
  std::span<std::byte> Get(std::size_t size);
  // Takes all back. What a run needed several blocks for is one block from now on; where none of
  // the last kRunsRemembered needed a quarter of what is held, the rest goes back to the system.
  void Clear();
  // Memory held, handed out or not.
  std::size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  struct Block {
    std::unique_ptr<std::byte[], Free> memory;
    std::size_t size = 0;
  };
  void AddBlock(std::size_t size);
  void BecomeOneBlock(std::size_t size);

  std::vector<Block> blocks_;  // only the last one has room
  std::size_t used_ = 0;       // of the last one
  std::size_t capacity_ = 0;
  std::size_t full_ = 0;  // used of the blocks before the last
  // Since what is held was last looked at.
  std::size_t used_max_ = 0;  // by one run
  int runs_ = 0;
};

}  // namespace penstock
