// Names and sizes of dtypes, and arithmetic on shapes. Pure; any thread. A peer chooses the
// dimensions, so every product here is checked.
#include "tensor/tensor.h"

#include <algorithm>

#include "base/strings.h"

namespace penstock {
namespace {

struct DataTypeRow {
  std::string_view name;
  std::size_t size_bytes;
};

// In the order of the enum: the enum's value is the index.
constexpr std::array<DataTypeRow, static_cast<std::size_t>(DataType::kBytes) + 1> kDataTypes = {{
    {"INVALID", 0},
    {"BOOL", 1},
    {"UINT8", 1},
    {"UINT16", 2},
    {"UINT32", 4},
    {"UINT64", 8},
    {"INT8", 1},
    {"INT16", 2},
    {"INT32", 4},
    {"INT64", 8},
    {"FP16", 2},
    {"FP32", 4},
    {"FP64", 8},
    {"BF16", 2},
    {"BYTES", 0},
}};

const DataTypeRow& Row(DataType type) {
  const std::size_t index = static_cast<std::size_t>(type);
  CHECK_LT(index, kDataTypes.size());
  return kDataTypes[index];
}

}  // namespace

std::string_view DataTypeName(DataType type) {
  return Row(type).name;
}

DataType DataTypeFromName(std::string_view name) {
  for (std::size_t i = 1; i < kDataTypes.size(); ++i) {
    if (kDataTypes[i].name == name) return static_cast<DataType>(i);
  }
  return DataType::kInvalid;
}

std::size_t DataTypeSize(DataType type) {
  return Row(type).size_bytes;
}

bool Shape::operator==(const Shape& other) const {
  return std::ranges::equal(dims(), other.dims());
}

std::optional<std::int64_t> Shape::ElementCount() const {
  std::int64_t count = 1;
  bool overflowed = false;
  bool empty = false;
  for (const std::int64_t dim : dims()) {
    if (dim < 0) return std::nullopt;
    if (dim == 0) empty = true;
    overflowed |= __builtin_mul_overflow(count, dim, &count);
  }
  // A zero anywhere makes the tensor empty, even where the product of the others overflows.
  if (empty) return 0;
  if (overflowed) return std::nullopt;
  return count;
}

std::string Shape::ToString() const {
  std::string text = "[";
  for (std::size_t i = 0; i < rank_; ++i) {
    if (i > 0) text.push_back(',');
    text.append(std::to_string(dims_[i]));
  }
  text.push_back(']');
  return text;
}

}  // namespace penstock
