// Tensors of FP16, FP32 and FP64 for steps that compute in float or in double: FP16 is computed in
// float and rounded once, at the end. Any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "tensor/arena.h"
#include "tensor/half.h"
#include "tensor/tensor.h"

namespace penstock::preprocess {

inline bool IsFloat(DataType dtype) {
  return dtype == DataType::kFp16 || dtype == DataType::kFp32 || dtype == DataType::kFp64;
}

template <typename T>
std::span<T> TakeValues(TensorArena& arena, std::size_t count) {
  return {reinterpret_cast<T*>(arena.Get(count * sizeof(T)).data()), count};
}

// The elements of a tensor whose dtype is as wide as T, aligned for it.
template <typename T>
std::span<const T> ValuesOf(const TensorView& view) {
  return {reinterpret_cast<const T*>(view.data.data()), view.data.size() / sizeof(T)};
}

// Returns visit(values) with a span of const float or const double.
template <typename Visit>
auto VisitFloats(const TensorView& view, TensorArena& arena, Visit visit) {
  if (view.dtype == DataType::kFp64) return visit(ValuesOf<double>(view));
  if (view.dtype == DataType::kFp32) return visit(ValuesOf<float>(view));
  CHECK(view.dtype == DataType::kFp16);
  const std::span<const std::uint16_t> halves = ValuesOf<std::uint16_t>(view);
  const std::span<float> floats = TakeValues<float>(arena, halves.size());
  std::ranges::transform(halves, floats.begin(), FromHalf);
  return visit(std::span<const float>(floats));
}

// What was computed for a tensor of `dtype`, as that tensor.
template <typename T>
TensorView StoreFloats(std::span<const T> values, DataType dtype, const Shape& shape,
                       TensorArena& arena) {
  if constexpr (std::is_same_v<T, float>) {
    if (dtype == DataType::kFp16) {
      const std::span<std::uint16_t> halves = TakeValues<std::uint16_t>(arena, values.size());
      std::ranges::transform(values, halves.begin(), ToHalf);
      return {.dtype = dtype, .shape = shape, .data = std::as_bytes(halves)};
    }
  }
  return {.dtype = dtype, .shape = shape, .data = std::as_bytes(values)};
}

}  // namespace penstock::preprocess
