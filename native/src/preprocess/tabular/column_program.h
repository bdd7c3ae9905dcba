// The steps of a column, compiled: passes over some rows at a time, so that what they work on stays
// in the nearest cache and its memory does not grow with a request. Knows no tensor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <penstock/columns.h>

#include "base/status.h"
#include "preprocess/tabular/category_table.h"
#include "preprocess/tabular/murmur_hash.h"

namespace penstock::preprocess {

// What the values of a column are between two steps.
enum class ColumnKind : std::uint8_t { kText, kInteger, kNumber };

// Values of some rows; of its arrays the one of their kind counts.
struct ColumnBlock {
  static constexpr std::size_t kRowsMax = 256;

  std::string_view column;  // its name, for messages
  std::int64_t first_row = 0;
  std::size_t rows = 0;
  std::array<std::string_view, kRowsMax> texts;
  std::array<std::int64_t, kRowsMax> integers;
  std::array<double, kRowsMax> numbers;

  // INVALID_ARGUMENT: "row 3: column 'age' ...".
  Status Refuse(std::size_t row, std::string_view why) const;
};

// The passes. Each takes values of one kind and leaves numbers, or what it was given.
struct ImputeTexts {
  std::string marker;
  std::string value;
  Status Run(ColumnBlock& block) const;
};
struct ImputeNumbers {
  double marker;  // NaN: what is missing
  double value;
  Status Run(ColumnBlock& block) const;
};
struct ScaleNumbers {
  ScaleStep step;
  Status Run(ColumnBlock& block) const;
};
struct ClipNumbers {
  ClipStep step;
  Status Run(ColumnBlock& block) const;
};
struct BucketizeNumbers {
  std::vector<double> edges;
  Status Run(ColumnBlock& block) const;
};
struct FindMissingTexts {
  Status Run(ColumnBlock& block) const;
};
struct FindMissingNumbers {
  Status Run(ColumnBlock& block) const;
};
struct RefuseMissingNumbers {
  Status Run(ColumnBlock& block) const;
};
template <typename Categories>
struct EncodeCategories {
  Categories categories;
  std::vector<double> values;
  std::optional<double> unknown;
  Status Run(ColumnBlock& block) const;
};

// How the last values get into a row of the output.
struct StoreNumbers {};
struct StoreIntegers {};
struct SetSlots {};  // the numbers are slots, -1 none
struct AddHashes {
  HashStep step;
  MurmurHash prefix;
};

class ColumnProgram final {
 public:
  // For values of a kind. INVALID_ARGUMENT begins with the path of the step that cannot work.
  static Result<ColumnProgram> Compile(ColumnKind kind, std::span<const ColumnStep> steps,
                                       bool refuse_missing);

  // The kind that it is to be given: integers may have to come as numbers.
  ColumnKind kind() const { return kind_; }
  // Numbers that it makes of a value.
  std::size_t width() const { return width_; }
  // Whether it adds to its numbers, as several columns may; or leaves most of them alone. They must
  // be 0 before.
  bool adds() const { return std::holds_alternative<AddHashes>(end_); }
  bool sparse() const { return adds() || std::holds_alternative<SetSlots>(end_); }
  // A value that it knows; none where it takes any.
  const std::optional<ColumnValue>& sample() const { return sample_; }

  // Consumes the block. `out` is where its first row has these numbers, `stride` what lies between
  // rows, in numbers. T: float, double, std::int32_t, std::int64_t.
  template <typename T>
  Status Run(ColumnBlock& block, T* out, std::size_t stride) const;

 private:
  using Pass = std::variant<ImputeTexts, ImputeNumbers, ScaleNumbers, ClipNumbers, BucketizeNumbers,
                            FindMissingTexts, FindMissingNumbers, RefuseMissingNumbers,
                            EncodeCategories<TextCategories>, EncodeCategories<NumberCategories>,
                            EncodeCategories<IntegerCategories>>;
  class Compiler;

  ColumnProgram() = default;

  ColumnKind kind_ = ColumnKind::kNumber;
  std::size_t width_ = 1;
  std::optional<ColumnValue> sample_;
  std::vector<Pass> passes_;
  std::variant<StoreNumbers, StoreIntegers, SetSlots, AddHashes> end_;
};

}  // namespace penstock::preprocess
