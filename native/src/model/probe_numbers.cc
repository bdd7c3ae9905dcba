// The two half formats are done by hand: no supported compiler has them as standard types.
#include "model/probe_numbers.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace penstock {
namespace {

template <typename T>
T Load(std::span<const std::byte> element) {
  T value;
  std::memcpy(&value, element.data(), sizeof(T));
  return value;
}

template <typename T>
void Store(T value, std::span<std::byte> element) {
  std::memcpy(element.data(), &value, sizeof(T));
}

// For |number| <= 4; what is too small for a normal half becomes zero, which a probe may.
std::uint16_t HalfFromFloat(float number) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(number);
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  const std::int32_t exponent = static_cast<std::int32_t>((bits >> 23) & 0xff) - 127 + 15;
  if (exponent <= 0) return static_cast<std::uint16_t>(sign);
  const std::uint32_t magnitude =
      (static_cast<std::uint32_t>(exponent) << 10) | ((bits >> 13) & 0x3ff);
  return static_cast<std::uint16_t>(sign | magnitude);
}

double FloatFromHalf(std::uint16_t half) {
  const int exponent = (half >> 10) & 0x1f;
  const int fraction = half & 0x3ff;
  const double sign = (half & 0x8000) != 0 ? -1 : 1;
  if (exponent == 0x1f) {
    return fraction != 0 ? std::nan("") : sign * static_cast<double>(INFINITY);
  }
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  return sign * std::ldexp(fraction + 1024, exponent - 25);
}

double FloatFromBfloat16(std::uint16_t half) {
  return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(half) << 16));
}

double LoadFloat(DataType type, std::span<const std::byte> element) {
  switch (type) {
    case DataType::kFp16:
      return FloatFromHalf(Load<std::uint16_t>(element));
    case DataType::kBf16:
      return FloatFromBfloat16(Load<std::uint16_t>(element));
    case DataType::kFp32:
      return static_cast<double>(Load<float>(element));
    default:
      return Load<double>(element);
  }
}

// Of the largest magnitude. A batched product sums in another order than a single one.
double Tolerance(DataType type) {
  switch (type) {
    case DataType::kFp16:
      return 5e-3;
    case DataType::kBf16:
      return 2e-2;
    default:
      return 1e-3;
  }
}

}  // namespace

bool IsFloat(DataType type) {
  return type == DataType::kFp16 || type == DataType::kFp32 || type == DataType::kFp64 ||
         type == DataType::kBf16;
}

void StoreNumber(DataType type, double number, std::span<std::byte> element) {
  const std::int64_t whole = static_cast<std::int64_t>(number);
  switch (type) {
    case DataType::kFp16:
      return Store(HalfFromFloat(static_cast<float>(number)), element);
    case DataType::kBf16:
      return Store(static_cast<std::uint16_t>(
                       std::bit_cast<std::uint32_t>(static_cast<float>(number)) >> 16),
                   element);
    case DataType::kFp32:
      return Store(static_cast<float>(number), element);
    case DataType::kFp64:
      return Store(number, element);
    case DataType::kBool:
      return Store(static_cast<std::uint8_t>(whole & 1), element);
    case DataType::kUint8:
    case DataType::kInt8:
      return Store(static_cast<std::int8_t>(whole), element);
    case DataType::kUint16:
    case DataType::kInt16:
      return Store(static_cast<std::int16_t>(whole), element);
    case DataType::kUint32:
    case DataType::kInt32:
      return Store(static_cast<std::int32_t>(whole), element);
    case DataType::kUint64:
    case DataType::kInt64:
      return Store(whole, element);
    case DataType::kInvalid:
    case DataType::kBytes:
      break;
  }
}

bool ElementsAgree(DataType type, std::span<const std::byte> a, std::span<const std::byte> b) {
  if (a.size() != b.size()) return false;
  if (!IsFloat(type)) return std::ranges::equal(a, b);
  const std::size_t size_bytes = DataTypeSize(type);
  double largest = 0;
  double difference = 0;
  for (std::size_t at = 0; at + size_bytes <= a.size(); at += size_bytes) {
    const double left = LoadFloat(type, a.subspan(at, size_bytes));
    const double right = LoadFloat(type, b.subspan(at, size_bytes));
    if (std::isnan(left) && std::isnan(right)) continue;
    if (left == right) {  // two equal infinities, whose difference is none
      if (std::isfinite(left)) largest = std::max(largest, std::fabs(left));
      continue;
    }
    if (!std::isfinite(left) || !std::isfinite(right)) return false;
    largest = std::max(largest, std::fabs(left));
    difference = std::max(difference, std::fabs(left - right));
  }
  return difference <= Tolerance(type) * largest;
}

}  // namespace penstock
