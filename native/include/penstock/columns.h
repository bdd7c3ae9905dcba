// Columns of a table into the tensors of a model: what a fitted scikit-learn ColumnTransformer
// does, as typed values. Python reads the declaration and fills ColumnsSpec; nothing here parses
// configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <penstock/transform.h>

namespace penstock {

// A value of a column of numbers or of strings. NaN and the empty string stand for what is missing.
// Integers are told from other numbers, since a double does not hold all of them.
using ColumnValue = std::variant<std::int64_t, double, std::string>;

// Takes the place of what is missing, or of `marker` where there is one.
struct ImputeStep {
  std::optional<ColumnValue> marker;
  ColumnValue value;
};

// (value - subtract) / divide * multiply + add.
struct ScaleStep {
  double subtract = 0;
  double divide = 1;
  double multiply = 1;
  double add = 0;
};

struct ClipStep {
  double min = 0;
  double max = 0;
};

// The number of edges that are not above the value. What is missing stays so.
struct BucketizeStep {
  std::vector<double> edges;  // ascending
};

// 1 for what is missing, else 0.
struct IsMissingStep {};

// Each category is replaced by the number that stands at its place in `values`, any other value by
// `unknown`; without one, the row is refused. What is missing may be a category.
struct OrdinalStep {
  std::vector<ColumnValue> categories;
  std::vector<double> values;
  std::optional<double> unknown;
};

// `width` numbers: 1 in the slot of the value's category, else 0; all 0 where that slot is -1. Any
// other value has the slot `unknown`; without one, the row is refused.
struct OneHotStep {
  std::vector<ColumnValue> categories;
  std::vector<std::int64_t> slots;
  std::int64_t width = 0;
  std::optional<std::int64_t> unknown;
};

// `width` numbers: MurmurHash3 (32 bits, seed 0) of prefix and string, taken as signed, chooses one
// by its absolute value modulo width, to which 1 is added; -1 where the hash is negative and
// `alternate_sign`. What is missing adds nothing.
struct HashStep {
  std::int64_t width = 0;
  bool alternate_sign = true;
  std::string prefix;
  std::int64_t string_bytes_max = 0;  // longer ones are refused
};

using ColumnStep = std::variant<ImputeStep, ScaleStep, ClipStep, BucketizeStep, IsMissingStep,
                                OrdinalStep, OneHotStep, HashStep>;

struct ColumnsSpec {
  // A tensor of the client, [rows] where `matrix` is false, else [rows, columns].
  struct Input {
    std::string datatype;  // BOOL, INT8 to INT64, UINT8 to UINT32, FP32, FP64 or BYTES
    std::vector<std::string> columns;
    bool matrix = false;
  };
  // A column's way into an output. Several columns may be hashed into the same numbers.
  struct Feature {
    std::vector<std::string> columns;
    std::vector<ColumnStep> steps;
    std::size_t output = 0;
    bool refuse_missing = true;  // NaN that no step provides for: else it goes on
  };

  std::vector<Input> inputs;
  std::vector<std::string> outputs;   // datatypes: FP32, FP64, INT32 or INT64
  std::vector<Feature> features;      // in the order in which their numbers stand in a row
  std::int64_t output_bytes_max = 0;  // what would be larger is refused
};

// Null where the spec is wrong; the message names the feature, and its step where it is at fault.
std::shared_ptr<const Transform> MakeColumnsTransform(const ColumnsSpec& spec, StepError* error);

}  // namespace penstock
