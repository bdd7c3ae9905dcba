#include "preprocess/tabular/column_program.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <type_traits>
#include <utility>

#include "base/strings.h"

namespace penstock::preprocess {
namespace {

std::span<double> NumbersOf(ColumnBlock& block) {
  return std::span(block.numbers).first(block.rows);
}
std::span<std::string_view> TextsOf(ColumnBlock& block) {
  return std::span(block.texts).first(block.rows);
}

const std::string_view& ValueAt(const TextCategories& /*of*/, const ColumnBlock& block,
                                std::size_t row) {
  return block.texts[row];
}
double ValueAt(const NumberCategories& /*of*/, const ColumnBlock& block, std::size_t row) {
  return block.numbers[row];
}
std::int64_t ValueAt(const IntegerCategories& /*of*/, const ColumnBlock& block, std::size_t row) {
  return block.integers[row];
}

// As messages show a value.
std::string Shown(std::string_view text) {
  return text.empty() ? "is empty (missing)" : StrCat("is '", Printable(text), "'");
}
std::string Shown(std::int64_t value) {
  return StrCat("is ", value);
}
std::string Shown(double value) {
  if (std::isnan(value)) return "is NaN (missing)";
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "is %.9g", value);
  return text.data();
}

// Whether `value` becomes one of T's without harm: floating point takes all, as NumPy's casts do.
template <typename T>
bool Holds(double value) {
  if constexpr (std::is_floating_point_v<T>) return true;
  // Both bounds are powers of two, which a double holds.
  constexpr double kEnd = -static_cast<double>(std::numeric_limits<T>::min());
  return value >= -kEnd && value < kEnd;
}
template <typename T>
bool Holds(std::int64_t value) {
  if constexpr (std::is_floating_point_v<T>) return true;
  return std::in_range<std::conditional_t<std::is_integral_v<T>, T, std::int64_t>>(value);
}

template <typename T, typename Value>
Status Store(const ColumnBlock& block, const Value* values, T* out, std::size_t stride) {
  for (std::size_t row = 0; row < block.rows; ++row) {
    if (!Holds<T>(values[row])) {
      return block.Refuse(row,
                          StrCat(Shown(values[row]), ", which INT", 8 * sizeof(T), " cannot hold"));
    }
    out[row * stride] = static_cast<T>(values[row]);
  }
  return {};
}

}  // namespace

Status ColumnBlock::Refuse(std::size_t row, std::string_view why) const {
  return InvalidArgument(
      StrCat("row ", first_row + static_cast<std::int64_t>(row), ": column '", column, "' ", why));
}

Status ImputeTexts::Run(ColumnBlock& block) const {
  for (std::string_view& text : TextsOf(block)) {
    if (text == marker) text = value;
  }
  return {};
}

Status ImputeNumbers::Run(ColumnBlock& block) const {
  if (std::isnan(marker)) {
    for (double& number : NumbersOf(block)) number = std::isnan(number) ? value : number;
  } else {
    for (double& number : NumbersOf(block)) number = number == marker ? value : number;
  }
  return {};
}

Status ScaleNumbers::Run(ColumnBlock& block) const {
  const auto [subtract, divide, multiply, add] = step;
  for (double& number : NumbersOf(block)) number = (number - subtract) / divide * multiply + add;
  return {};
}

Status ClipNumbers::Run(ColumnBlock& block) const {
  // NaN compares false and stays.
  for (double& number : NumbersOf(block)) {
    number = number < step.min ? step.min : number > step.max ? step.max : number;
  }
  return {};
}

Status BucketizeNumbers::Run(ColumnBlock& block) const {
  for (double& number : NumbersOf(block)) {
    if (std::isnan(number)) continue;
    number = static_cast<double>(std::ranges::upper_bound(edges, number) - edges.begin());
  }
  return {};
}

Status FindMissingTexts::Run(ColumnBlock& block) const {
  for (std::size_t row = 0; row < block.rows; ++row) block.numbers[row] = block.texts[row].empty();
  return {};
}

Status FindMissingNumbers::Run(ColumnBlock& block) const {
  for (double& number : NumbersOf(block)) number = std::isnan(number) ? 1 : 0;
  return {};
}

Status RefuseMissingNumbers::Run(ColumnBlock& block) const {
  for (std::size_t row = 0; row < block.rows; ++row) {
    if (std::isnan(block.numbers[row])) {
      return block.Refuse(row, "is NaN (missing), and nothing takes its place");
    }
  }
  return {};
}

template <typename Categories>
Status EncodeCategories<Categories>::Run(ColumnBlock& block) const {
  for (std::size_t row = 0; row < block.rows; ++row) {
    const auto value = ValueAt(categories, block, row);
    const std::uint32_t index = categories.Find(value);
    if (index != kNoCategory) {
      block.numbers[row] = values[index];
    } else if (unknown.has_value()) {
      block.numbers[row] = *unknown;
    } else {
      return block.Refuse(row, StrCat(Shown(value), ", none of its ", values.size(),
                                      values.size() == 1 ? " category" : " categories"));
    }
  }
  return {};
}
template struct EncodeCategories<TextCategories>;
template struct EncodeCategories<NumberCategories>;
template struct EncodeCategories<IntegerCategories>;

namespace {

template <typename T>
Status Write(const StoreNumbers& /*end*/, const ColumnBlock& block, T* out, std::size_t stride) {
  return Store(block, block.numbers.data(), out, stride);
}

template <typename T>
Status Write(const StoreIntegers& /*end*/, const ColumnBlock& block, T* out, std::size_t stride) {
  return Store(block, block.integers.data(), out, stride);
}

template <typename T>
Status Write(const SetSlots& /*end*/, const ColumnBlock& block, T* out, std::size_t stride) {
  for (std::size_t row = 0; row < block.rows; ++row) {
    const double slot = block.numbers[row];
    if (slot >= 0) out[row * stride + static_cast<std::size_t>(slot)] = 1;
  }
  return {};
}

template <typename T>
Status Write(const AddHashes& end, const ColumnBlock& block, T* out, std::size_t stride) {
  const auto width = static_cast<std::uint64_t>(end.step.width);
  for (std::size_t row = 0; row < block.rows; ++row) {
    const std::string_view text = block.texts[row];
    if (text.empty()) continue;
    if (text.size() > static_cast<std::size_t>(end.step.string_bytes_max)) {
      return block.Refuse(row, StrCat("has ", text.size(), " bytes, at most ",
                                      end.step.string_bytes_max, " are hashed"));
    }
    MurmurHash hash = end.prefix;
    hash.Add(text);
    const auto signed_hash = static_cast<std::int32_t>(hash.Finish());
    // In 64 bits the lowest has an absolute value too.
    const auto slot = static_cast<std::uint64_t>(std::abs(std::int64_t{signed_hash})) % width;
    out[row * stride + slot] += end.step.alternate_sign && signed_hash < 0 ? T{-1} : T{1};
  }
  return {};
}

}  // namespace

template <typename T>
Status ColumnProgram::Run(ColumnBlock& block, T* out, std::size_t stride) const {
  for (const Pass& pass : passes_) {
    RETURN_IF_ERROR(std::visit([&block](const auto& each) { return each.Run(block); }, pass));
  }
  return std::visit(
      [&block, out, stride](const auto& end) { return Write<T>(end, block, out, stride); }, end_);
}
template Status ColumnProgram::Run(ColumnBlock&, float*, std::size_t) const;
template Status ColumnProgram::Run(ColumnBlock&, double*, std::size_t) const;
template Status ColumnProgram::Run(ColumnBlock&, std::int32_t*, std::size_t) const;
template Status ColumnProgram::Run(ColumnBlock&, std::int64_t*, std::size_t) const;

}  // namespace penstock::preprocess
