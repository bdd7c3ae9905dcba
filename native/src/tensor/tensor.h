// Tensors as the whole server sees them: a dtype, a shape and borrowed bytes. Row-major,
// little-endian. Nothing here owns memory or knows a wire format.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/check.h"

namespace penstock {

enum class DataType : std::uint8_t {
  kInvalid = 0,
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBf16,
  kBytes,
};

// The Open Inference Protocol's name ("FP32"); "INVALID" for kInvalid.
std::string_view DataTypeName(DataType type);
// The inverse; kInvalid for anything else.
DataType DataTypeFromName(std::string_view name);
// Bytes of one element; 0 for kBytes (variable) and kInvalid.
std::size_t DataTypeSize(DataType type);

// Up to kRankMax dimensions, inline. In a specification -1 stands for a dimension that the model
// leaves free; in a tensor every dimension is >= 0.
class Shape final {
 public:
  // ONNX sets no limit, real models stay below this; a model above it is refused at load.
  static constexpr std::size_t kRankMax = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    for (std::int64_t dim : dims) Append(dim);
  }

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t i) const {
    DCHECK(i < rank_);
    return dims_[i];
  }
  void Set(std::size_t i, std::int64_t dim) {
    DCHECK(i < rank_);
    dims_[i] = dim;
  }
  void Append(std::int64_t dim) {
    CHECK_LT(rank_, kRankMax);
    dims_[rank_++] = dim;
  }
  void Clear() { rank_ = 0; }
  std::span<const std::int64_t> dims() const { return {dims_.data(), rank_}; }
  bool operator==(const Shape& other) const;

  // The number of elements; nothing if a dimension is negative or the product overflows int64.
  std::optional<std::int64_t> ElementCount() const;
  // "[1,64]", as in error messages.
  std::string ToString() const;

 private:
  std::size_t rank_ = 0;
  std::array<std::int64_t, kRankMax> dims_{};
};

// Borrowed contents; whoever made the view says how long the bytes live. Row-major elements; those
// of BYTES in the checked form of tensor/bytes.h.
struct TensorView {
  DataType dtype = DataType::kInvalid;
  Shape shape;
  std::span<const std::byte> data;
};

// What a model declares for one of its inputs or outputs.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kInvalid;
  Shape shape;                      // -1 where free
  bool first_dim_symbolic = false;  // the first dimension is free: it may be a batch
};

}  // namespace penstock
