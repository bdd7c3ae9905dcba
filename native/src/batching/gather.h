// The inputs of several entries as one tensor each. One per thread that runs batches.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "batching/ragged.h"
#include "tensor/arena.h"
#include "tensor/tensor.h"

namespace penstock {

struct Gathered {
  std::span<const TensorView> inputs;  // until the next Gather; data in the arena or the entries'
  // Of a ragged model, along its first ragged input: the longest, and elements of all rows.
  std::int64_t length = 0;
  std::int64_t elements = 0;  // that the run is given
  std::int64_t padding = 0;   // of these, that no entry brought
};

class Gatherer final {
 public:
  // `members`: the inputs of each entry, in the model's order, alike in all but their rows and,
  // where `ragged` is not null, their length. What stands one after another already, a lone entry's
  // above all, is not copied.
  Gathered Gather(std::span<const std::span<const TensorView>> members, const Ragged* ragged,
                  TensorArena& arena);

 private:
  std::vector<TensorView> inputs_;
};

}  // namespace penstock
