// Makes the probe's numbers, runs them and compares. Seeded: the same model gives the same verdict
// at every start.
#include "model/batch_probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <utility>

#include "base/strings.h"
#include "batching/output_rows.h"
#include "model/probe_numbers.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

using Recipe = ProbeInputs::Recipe;
using Values = ProbeInputs::Values;

// Enough that a mix-up of rows shows, few enough for a model of seconds.
constexpr std::int64_t kProbeRows = 3;

// A model that declares more for one row is not probed: the number may be nonsense, and allocating
// it would end the process.
constexpr std::int64_t kProbeBytesMax = std::int64_t{256} << 20;

constexpr std::int64_t kFreeDim = Recipe().free_dim;

Shape ConcreteShape(const TensorSpec& spec, Recipe recipe, std::int64_t rows) {
  Shape shape = spec.shape;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] >= 0) continue;
    shape.Set(i, i == 0 ? rows : recipe.free_dim);
  }
  return shape;
}

constexpr int kProbeWordsMax = 4;
// Of words of one letter, with ", " between them.
constexpr std::size_t kProbeStringMax = kProbeWordsMax + 2 * (kProbeWordsMax - 1);
std::size_t ElementSizeMax(DataType dtype) {
  return dtype == DataType::kBytes ? kBytesLengthSize + kProbeStringMax : DataTypeSize(dtype);
}

// kProbeBytesMax + 1 for anything above the limit, so that sums stay far from overflow.
std::int64_t ByteCount(const TensorSpec& spec, const Shape& shape) {
  const std::optional<std::int64_t> count = shape.ElementCount();
  const std::int64_t size_bytes = static_cast<std::int64_t>(ElementSizeMax(spec.dtype));
  if (!count.has_value() || *count > kProbeBytesMax / size_bytes) return kProbeBytesMax + 1;
  return *count * size_bytes;
}

std::string ProbeString(Values values, int whole, std::uint64_t random) {
  if (values != Values::kWide) return StrCat(whole);
  // Rows differ in their number of words, so that a model which splits them and pads them to the
  // longest row gives itself away.
  std::string text;
  for (int words = whole + 1; words > 0; --words) {
    if (!text.empty()) text += ", ";
    text += static_cast<char>('a' + random % 26);
    random /= 26;
  }
  return text;
}

struct ProbeRow {
  DataType dtype = DataType::kInvalid;
  Values values = Values::kWide;
  std::size_t element_count = 0;
  std::size_t input_index = 0;
  std::size_t row_index = 0;
  bool ones = false;
};

void AppendRow(const ProbeRow& row, std::vector<std::byte>& bytes) {
  std::mt19937_64 random((row.input_index + 1) * 1000 + row.row_index);
  const bool wide = row.values == Values::kWide;
  const int bound = wide ? kProbeWordsMax : row.values == Values::kNarrow ? 2 : 1;
  for (std::size_t i = 0; i < row.element_count; ++i) {
    const std::uint64_t bits = random();
    // 53 of them as a fraction in [0, 1).
    const double fraction = static_cast<double>(bits >> 11) * 0x1p-53;
    // Rows of a single element must differ as well.
    const int whole =
        i == 0 ? static_cast<int>(row.row_index) % bound : static_cast<int>(fraction * bound);
    const std::size_t at = bytes.size();
    if (row.dtype == DataType::kBytes) {
      const std::string text = ProbeString(row.values, whole, bits);
      bytes.resize(at + kBytesLengthSize + text.size());
      PutBytesElement(bytes.data() + at, std::as_bytes(std::span(text)));
      continue;
    }
    double number = whole;
    if (IsFloat(row.dtype)) number = wide ? fraction * 2 - 1 : fraction;
    if (row.values == Values::kZeros) number = 0;
    if (row.ones) number = 1;
    bytes.resize(at + DataTypeSize(row.dtype));
    StoreNumber(row.dtype, number, std::span(bytes).subspan(at));
  }
}

// One run's outputs, or the sentence that says why they are not what a batch gives.
struct RunOutcome {
  std::unique_ptr<SessionOutputs> outputs;
  Status status;
};

RunOutcome RunProbe(Session& session, std::span<const TensorView> inputs) {
  Result<std::unique_ptr<SessionOutputs>> result = session.Run(inputs);
  if (!result.ok()) return {nullptr, result.status()};
  return {std::move(result).value(), {}};
}

// Empty where each output has `rows` in front.
std::string CheckRowCounts(const Session& session, const SessionOutputs& outputs,
                           std::int64_t rows) {
  for (std::size_t i = 0; i < outputs.tensors().size(); ++i) {
    const Shape& shape = outputs.tensors()[i].shape;
    if (shape.rank() > 0 && shape[0] == rows) continue;
    return StrCat("output '", Printable(session.outputs()[i].name), "' has shape ",
                  shape.ToString(), " for ", rows, rows == 1 ? " row" : " rows");
  }
  return "";
}

// Empty where row `index` of `together` is what it was alone.
std::string CompareRow(const Session& session, const SessionOutputs& alone,
                       const SessionOutputs& together, std::int64_t index) {
  for (std::size_t i = 0; i < alone.tensors().size(); ++i) {
    const TensorView& single = alone.tensors()[i];
    const std::span<const std::byte> row =
        OutputRows(together, i, {.first = index, .count = 1, .of = kProbeRows});
    if (ElementsAgree(single.dtype, single.data, row)) continue;
    return StrCat("row ", index, " of output '", Printable(session.outputs()[i].name),
                  "' differs between a run alone and a run of ", kProbeRows, " rows");
  }
  return "";
}

// What rows alone and together say, or the engine's refusal of one of these runs.
struct Verdict {
  std::string fault;  // empty where rows are independent
  bool refused = false;
};

Verdict FindDependence(Session& session, const ProbeInputs& inputs) {
  const RunOutcome together = RunProbe(session, inputs.views());
  if (!together.status.ok()) {
    return {StrCat("a run of ", kProbeRows, " rows fails: ", together.status.message()), true};
  }
  std::string fault = CheckRowCounts(session, *together.outputs, kProbeRows);
  for (std::int64_t i = 0; i < kProbeRows && fault.empty(); ++i) {
    const std::vector<TensorView> row = inputs.Row(i);
    const RunOutcome alone = RunProbe(session, row);
    if (!alone.status.ok()) {
      return {StrCat("a run of one row fails: ", alone.status.message()), true};
    }
    fault = CheckRowCounts(session, *alone.outputs, 1);
    if (fault.empty()) fault = CompareRow(session, *alone.outputs, *together.outputs, i);
  }
  return {std::move(fault), false};
}

// Empty where every input declares a free first dimension.
std::string FindFixedInput(const Session& session) {
  if (session.inputs().empty()) return "the model has no inputs";
  if (session.outputs().empty()) return "the model has no outputs";
  for (const TensorSpec& spec : session.inputs()) {
    if (spec.first_dim_symbolic) continue;
    if (spec.shape.rank() == 0) {
      return StrCat("input '", Printable(spec.name), "' is a scalar, which has no rows");
    }
    return StrCat("input '", Printable(spec.name), "' has the shape ", spec.shape.ToString(),
                  ", its first dimension is not free");
  }
  return "";
}

bool HasFreeInnerDim(std::span<const TensorSpec> specs) {
  return std::ranges::any_of(specs, [](const TensorSpec& spec) {
    const std::span<const std::int64_t> dims = spec.shape.dims();
    return dims.size() > 1 &&
           std::ranges::any_of(dims.subspan(1), [](std::int64_t dim) { return dim < 0; });
  });
}

std::vector<Recipe> Recipes(std::span<const TensorSpec> specs, std::uint64_t ones) {
  std::vector<Recipe> recipes;
  for (const Values values : {Values::kWide, Values::kNarrow, Values::kZeroIndex, Values::kZeros}) {
    recipes.push_back({.values = values, .ones = ones});
    if (HasFreeInnerDim(specs)) {
      recipes.push_back({.values = values, .free_dim = 1, .ones = ones});
    }
  }
  return recipes;
}

}  // namespace

ProbeInputs::ProbeInputs(std::span<const TensorSpec> specs, Recipe recipe, std::int64_t rows)
    : rows_(rows) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const Shape shape = ConcreteShape(specs[i], recipe, rows);
    const auto elements = static_cast<std::size_t>(shape.ElementCount().value_or(0));
    const std::size_t row_count =
        specs[i].first_dim_symbolic ? static_cast<std::size_t>(rows) : std::size_t{1};
    Column& column = columns_.emplace_back();
    column.bytes.reserve(elements * ElementSizeMax(specs[i].dtype));
    column.row_offsets.push_back(0);
    for (std::size_t row = 0; row < row_count; ++row) {
      AppendRow({.dtype = specs[i].dtype,
                 .values = recipe.values,
                 .element_count = elements / row_count,
                 .input_index = i,
                 .row_index = row,
                 .ones = i < 64 && (recipe.ones >> i & 1) != 0},
                column.bytes);
      column.row_offsets.push_back(column.bytes.size());
    }
    views_.push_back({.dtype = specs[i].dtype, .shape = shape, .data = column.bytes});
  }
}

std::vector<TensorView> ProbeInputs::Row(std::int64_t index) const {
  std::vector<TensorView> row = views_;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::size_t* offset = &columns_[i].row_offsets[static_cast<std::size_t>(index)];
    row[i].shape.Set(0, 1);
    row[i].data = row[i].data.subspan(offset[0], offset[1] - offset[0]);
  }
  return row;
}

bool ProbeInputs::RowsDiffer() const {
  for (std::int64_t i = 1; i < rows_; ++i) {
    const std::vector<TensorView> first = Row(0);
    const std::vector<TensorView> other = Row(i);
    const bool alike =
        std::ranges::equal(first, other, [](const TensorView& a, const TensorView& b) {
          return std::ranges::equal(a.data, b.data);
        });
    if (!alike) return true;
  }
  return false;
}

std::int64_t ProbeRowBytes(std::span<const TensorSpec> specs, Recipe recipe) {
  std::int64_t total = 0;
  for (const TensorSpec& spec : specs) {
    total += ByteCount(spec, ConcreteShape(spec, recipe, 1));
  }
  return total;
}

namespace {

std::string Describe(const Recipe& recipe) {
  constexpr std::array<std::string_view, 4> kValues = {
      "floats from -1 to 1 and integers from 0 to 3", "floats from 0 to 1 and integers 0 and 1",
      "floats from 0 to 1 and integers 0", "zeros"};
  return StrCat(kValues[static_cast<std::size_t>(recipe.values)],
                recipe.free_dim == kFreeDim ? "" : ", free dimensions 1");
}

// Tries recipes until one shows whether rows are independent.
class Prober final {
 public:
  Prober(Session& session, std::uint64_t ones)
      : session_(session), ones_(ones), fixed_input_(FindFixedInput(session)) {}

  ProbeReport Probe();

 private:
  // True where the verdict is final.
  bool Try(const Recipe& recipe);
  std::string ReasonAgainst() const;

  Session& session_;
  const std::uint64_t ones_;
  const std::string fixed_input_;
  ProbeReport report_;
  std::string refusal_;        // the engine's words on the first refused row
  std::string batch_refusal_;  // on the first batch refused whose rows were accepted
};

bool Prober::Try(const Recipe& recipe) {
  const auto refuse = [](std::string& place, std::string text) {
    if (place.empty()) place = std::move(text);
    return false;
  };
  if (ProbeRowBytes(session_.inputs(), recipe) > kProbeBytesMax) {
    return refuse(refusal_, StrCat("one row has more than ", kProbeBytesMax, " bytes"));
  }
  // One row first: whether the model accepts the values at all is not a matter of batching.
  const ProbeInputs single(session_.inputs(), recipe, 1);
  const RunOutcome outcome = RunProbe(session_, single.views());
  if (!outcome.status.ok()) return refuse(refusal_, std::string(outcome.status.message()));
  if (!report_.accepted) {
    report_.accepted = true;
    report_.recipe = recipe;
    for (const TensorView& output : outcome.outputs->tensors()) {
      report_.row_shapes.push_back(output.shape);
    }
  }
  if (!fixed_input_.empty()) return true;

  const ProbeInputs batch(session_.inputs(), recipe, kProbeRows);
  if (!batch.RowsDiffer()) return false;
  Verdict verdict = FindDependence(session_, batch);
  if (verdict.refused) return refuse(batch_refusal_, std::move(verdict.fault));
  report_.recipe = recipe;
  report_.batchable = verdict.fault.empty();
  report_.reason = std::move(verdict.fault);
  return true;
}

std::string Prober::ReasonAgainst() const {
  if (!fixed_input_.empty()) return fixed_input_;
  if (!report_.accepted) return StrCat("every probe was refused: ", refusal_);
  if (!batch_refusal_.empty()) return batch_refusal_;
  return "the rows of every probe that was accepted are alike, which proves nothing";
}

ProbeReport Prober::Probe() {
  const std::vector<Recipe> recipes = Recipes(session_.inputs(), ones_);
  const bool concluded =
      std::ranges::any_of(recipes, [this](const Recipe& recipe) { return Try(recipe); });
  if (!concluded || !fixed_input_.empty()) report_.reason = ReasonAgainst();
  const std::string& why = refusal_.empty() ? batch_refusal_ : refusal_;
  if (report_.accepted && report_.recipe != recipes.front()) {
    report_.note = StrCat("probed with ", Describe(report_.recipe),
                          " because other values were refused: ", why);
  }
  return std::move(report_);
}

}  // namespace

std::vector<TensorSpec> ServedOutputs(std::span<const TensorSpec> declared,
                                      const ProbeReport& report) {
  std::vector<TensorSpec> served(declared.begin(), declared.end());
  for (std::size_t i = 0; i < report.row_shapes.size(); ++i) {
    const Shape& seen = report.row_shapes[i];
    Shape& shape = served[i].shape;
    // The engine shows an output without a declared rank as a scalar.
    const bool same_rank = shape.rank() == seen.rank();
    if (!same_rank) shape = seen;
    for (std::size_t k = 0; k < shape.rank(); ++k) {
      const bool free = !same_rank || shape[k] != seen[k] || (k == 0 && report.batchable);
      if (free) shape.Set(k, -1);
    }
    served[i].first_dim_symbolic = shape.rank() > 0 && shape[0] < 0;
  }
  return served;
}

ProbeReport ProbeBatching(Session& session, std::uint64_t ones) {
  return Prober(session, ones).Probe();
}

}  // namespace penstock
