// Inputs whose rows are longer in some requests than in others, along one axis: how they may share
// a run all the same, padded to the longest. Pure; any thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace penstock {

struct RaggedInput {
  std::size_t index = 0;  // among the model's inputs
  std::size_t axis = 1;   // never the batch's
  // One element of the input's datatype each, from the front.
  std::array<std::byte, 8> pad{};
  std::array<std::byte, 8> one{};
  // 1 where a row has an element and 0 behind it. The client may leave it out: its view has a shape
  // then, and no data.
  bool mask = false;
  // Shorter rows are padded in front of their elements, not behind them. The same for all inputs.
  bool before = false;
};

// Which of an output's axes are as long as the inputs: they are cut back to what an entry brought.
struct RaggedOutput {
  std::size_t index = 0;
  std::uint32_t axes = 0;  // bit k: axis k
};

// Of one model. All ragged inputs of a request have the same length.
struct Ragged {
  std::vector<RaggedInput> inputs;  // at least one
  std::vector<RaggedOutput> outputs;

  // Of the model's input `index`; null where it is not ragged.
  const RaggedInput* Find(std::size_t index) const {
    for (const RaggedInput& input : inputs) {
      if (input.index == index) return &input;
    }
    return nullptr;
  }
  bool before() const { return inputs.front().before; }
  // Of what one request, or one batch, brings.
  std::int64_t LengthOf(std::span<const TensorView> tensors) const {
    return tensors[inputs.front().index].shape[inputs.front().axis];
  }
};

// Below this, lengths are all alike: a run costs more for itself than for so few elements.
inline constexpr std::int64_t kRunLengthMin = 16;

// What shares a run without asking further, by length: 16, 22, 32, 45, 64, 90, ... Returns the
// longest that shares one with `length`: above kRunLengthMin less than 3 of 10 elements are
// padding.
constexpr std::int64_t RunLength(std::int64_t length) {
  constexpr std::int64_t kLengthMax = std::int64_t{1} << 40;
  if (length <= kRunLengthMin) return kRunLengthMin;
  if (length >= kLengthMax) return kLengthMax;
  const auto power = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(length)));
  const std::int64_t between = power * 181 / 256;  // over the square root of 2
  return length <= between ? between : power;
}

}  // namespace penstock
