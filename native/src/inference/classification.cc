#include "inference/classification.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <span>
#include <string_view>

#include "base/check.h"
#include "tensor/bytes.h"
#include "tensor/half.h"
#include "tensor/ranking.h"

namespace penstock {
namespace {

void Append(std::vector<std::byte>& memory, std::string_view text) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  memory.insert(memory.end(), bytes.begin(), bytes.end());
}

// The shortest decimal that reads as the same number.
template <typename T>
void AppendNumber(std::vector<std::byte>& memory, T value) {
  std::array<char, 64> text;
  const std::to_chars_result end = std::to_chars(text.data(), text.data() + text.size(), value);
  Append(memory, {text.data(), static_cast<std::size_t>(end.ptr - text.data())});
}

template <typename T>
void AppendClasses(std::span<const T> row, std::span<std::int64_t> best, const LabelList* labels,
                   std::vector<std::byte>& memory) {
  RankLargest(row, best);
  for (const std::int64_t index : best) {
    const std::size_t begin = memory.size();
    memory.resize(begin + kBytesLengthSize);
    AppendNumber(memory, row[static_cast<std::size_t>(index)]);
    Append(memory, ":");
    AppendNumber(memory, index);
    if (labels != nullptr && static_cast<std::size_t>(index) < labels->size()) {
      Append(memory, ":");
      Append(memory, (*labels)[static_cast<std::size_t>(index)]);
    }
    const auto length = static_cast<std::uint32_t>(memory.size() - begin - kBytesLengthSize);
    std::memcpy(memory.data() + begin, &length, kBytesLengthSize);
  }
}

// Rows of a tensor stand where their elements may.
template <typename T>
std::span<const T> NumbersOf(std::span<const std::byte> data) {
  return {reinterpret_cast<const T*>(data.data()), data.size() / sizeof(T)};
}

template <typename Visit, typename Widen>
void VisitWidened(std::span<const std::byte> data, Widen widen, Visit visit) {
  const std::span<const std::uint16_t> narrow = NumbersOf<std::uint16_t>(data);
  std::vector<float> wide(narrow.size());
  std::ranges::transform(narrow, wide.begin(), widen);
  visit(std::span<const float>(wide));
}

// Calls `visit` with the elements as numbers that can be compared and printed.
template <typename Visit>
void VisitNumbers(DataType dtype, std::span<const std::byte> data, Visit visit) {
  switch (dtype) {
    case DataType::kUint8:
      return visit(NumbersOf<std::uint8_t>(data));
    case DataType::kUint16:
      return visit(NumbersOf<std::uint16_t>(data));
    case DataType::kUint32:
      return visit(NumbersOf<std::uint32_t>(data));
    case DataType::kUint64:
      return visit(NumbersOf<std::uint64_t>(data));
    case DataType::kInt8:
      return visit(NumbersOf<std::int8_t>(data));
    case DataType::kInt16:
      return visit(NumbersOf<std::int16_t>(data));
    case DataType::kInt32:
      return visit(NumbersOf<std::int32_t>(data));
    case DataType::kInt64:
      return visit(NumbersOf<std::int64_t>(data));
    case DataType::kFp16:
      return VisitWidened(data, FromHalf, visit);
    case DataType::kBf16:
      return VisitWidened(data, FromBrainFloat, visit);
    case DataType::kFp32:
      return visit(NumbersOf<float>(data));
    case DataType::kFp64:
      return visit(NumbersOf<double>(data));
    case DataType::kInvalid:
    case DataType::kBool:
    case DataType::kBytes:
      CHECK(false);
  }
}

}  // namespace

bool CanClassify(DataType dtype) {
  return DataTypeSize(dtype) > 0 && dtype != DataType::kBool;
}

void ClassifyOutput(const ClassifyOptions& options, wire::InferOutput& output,
                    std::vector<std::byte>& memory) {
  const bool by_rows = options.by_rows && output.shape.rank() > 0;
  const auto rows = static_cast<std::size_t>(by_rows ? output.shape[0] : 1);
  VisitNumbers(output.dtype, output.data, [&]<typename T>(std::span<const T> numbers) {
    const std::size_t width = rows == 0 ? 0 : numbers.size() / rows;
    const std::int64_t count = std::min(options.count, static_cast<std::int64_t>(width));
    std::vector<std::int64_t> best(static_cast<std::size_t>(count));
    for (std::size_t row = 0; row < rows; ++row) {
      AppendClasses(numbers.subspan(row * width, width), std::span(best), options.labels, memory);
    }
    const std::int64_t first = output.shape.rank() > 0 ? output.shape[0] : 1;
    output.shape.Clear();
    if (by_rows) output.shape.Append(first);
    output.shape.Append(count);
  });
  output.dtype = DataType::kBytes;
  output.data = memory;
}

}  // namespace penstock
