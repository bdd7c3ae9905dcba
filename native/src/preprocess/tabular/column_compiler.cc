// ColumnProgram::Compile: which passes the steps of a column come to, and what cannot work.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "preprocess/tabular/column_program.h"

namespace penstock::preprocess {
namespace {

// By the order of ColumnStep.
constexpr std::array<std::string_view, std::variant_size_v<ColumnStep>> kStepNames = {
    "impute", "scale", "clip", "bucketize", "is_missing", "ordinal", "one_hot", "hash"};

std::string_view NameOf(ColumnKind kind) {
  return kind == ColumnKind::kText ? "strings" : "numbers";
}

bool IsText(const ColumnValue& value) {
  return std::holds_alternative<std::string>(value);
}

double NumberOf(const ColumnValue& value) {
  const auto* const integer = std::get_if<std::int64_t>(&value);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value);
}

// What a step that gives each category a code needs, whatever the codes mean.
struct Encoding {
  const std::vector<ColumnValue>& categories;
  std::vector<double> values;
  std::optional<double> unknown;
};

bool Encodes(const ColumnStep& step) {
  return std::holds_alternative<OrdinalStep>(step) || std::holds_alternative<OneHotStep>(step);
}

const std::vector<ColumnValue>& CategoriesOf(const ColumnStep& step) {
  const auto* const ordinal = std::get_if<OrdinalStep>(&step);
  return ordinal != nullptr ? ordinal->categories : std::get<OneHotStep>(step).categories;
}

// Whether a missing number means something to a step that comes first.
bool ProvidesForMissing(const ColumnStep& step) {
  const auto* const impute = std::get_if<ImputeStep>(&step);
  return Encodes(step) || std::holds_alternative<IsMissingStep>(step) ||
         (impute != nullptr && !impute->marker.has_value());
}

// A double may not tell two large integers apart, so that categories are looked up as what they
// are.
bool StaysInteger(std::span<const ColumnStep> steps) {
  if (steps.empty()) return true;
  return Encodes(steps.front()) &&
         std::ranges::all_of(CategoriesOf(steps.front()), [](const ColumnValue& category) {
           return std::holds_alternative<std::int64_t>(category);
         });
}

std::optional<ColumnValue> SampleFor(std::span<const ColumnStep> steps) {
  for (const ColumnStep& step : steps) {
    if (Encodes(step) && !CategoriesOf(step).empty()) return CategoriesOf(step).front();
    if (!std::holds_alternative<ImputeStep>(step)) break;
  }
  return std::nullopt;
}

}  // namespace

class ColumnProgram::Compiler final {
 public:
  Compiler(ColumnKind kind, ColumnProgram& program) : kind_(kind), program_(program) {}

  Status Add(const ColumnStep& step) {
    if (ended_) return InvalidArgument("nothing can come behind one_hot or hash");
    return std::visit([this](const auto& each) { return AddStep(each); }, step);
  }
  void RefuseMissing() { program_.passes_.emplace_back(RefuseMissingNumbers{}); }
  Status End() {
    if (ended_) return {};
    if (kind_ == ColumnKind::kText) {
      return InvalidArgument("strings are left; one_hot, ordinal or hash makes numbers of them");
    }
    if (kind_ == ColumnKind::kInteger) {
      program_.end_ = StoreIntegers{};
    } else {
      program_.end_ = StoreNumbers{};
    }
    return {};
  }

 private:
  template <typename P>
  Status Push(P pass) {
    program_.passes_.emplace_back(std::move(pass));
    return {};
  }
  Status NeedNumbers() const {
    if (kind_ != ColumnKind::kText) return {};
    return InvalidArgument("it needs numbers, and gets strings");
  }
  Status CheckKind(const ColumnValue& value, std::string_view what) const {
    if (IsText(value) == (kind_ == ColumnKind::kText)) return {};
    return InvalidArgument(StrCat(what, " is ", IsText(value) ? "a string" : "a number",
                                  ", and the column has ", NameOf(kind_)));
  }

  Status AddStep(const ImputeStep& step) {
    RETURN_IF_ERROR(CheckKind(step.value, "value"));
    if (step.marker.has_value()) RETURN_IF_ERROR(CheckKind(*step.marker, "missing"));
    if (kind_ == ColumnKind::kText) {
      return Push(ImputeTexts{.marker = std::get<std::string>(step.marker.value_or(std::string())),
                              .value = std::get<std::string>(step.value)});
    }
    const double marker =
        step.marker.has_value() ? NumberOf(*step.marker) : std::numeric_limits<double>::quiet_NaN();
    return Push(ImputeNumbers{.marker = marker, .value = NumberOf(step.value)});
  }

  Status AddStep(const ScaleStep& step) {
    RETURN_IF_ERROR(NeedNumbers());
    for (const double number : {step.subtract, step.divide, step.multiply, step.add}) {
      if (!std::isfinite(number)) return InvalidArgument("its numbers must be finite");
    }
    if (step.divide == 0) return InvalidArgument("divide is 0");
    return Push(ScaleNumbers{step});
  }

  Status AddStep(const ClipStep& step) {
    RETURN_IF_ERROR(NeedNumbers());
    if (!(step.min <= step.max)) return InvalidArgument("min must not be above max");
    return Push(ClipNumbers{step});
  }

  Status AddStep(const BucketizeStep& step) {
    RETURN_IF_ERROR(NeedNumbers());
    const bool ascending = std::ranges::is_sorted(step.edges) &&
                           std::ranges::none_of(step.edges, [](double e) { return std::isnan(e); });
    if (step.edges.empty() || !ascending) {
      return InvalidArgument("edges must be one or more numbers in ascending order");
    }
    return Push(BucketizeNumbers{step.edges});
  }

  Status AddStep(const IsMissingStep& /*step*/) {
    if (kind_ != ColumnKind::kText) return Push(FindMissingNumbers{});
    kind_ = ColumnKind::kNumber;
    return Push(FindMissingTexts{});
  }

  Status AddStep(const OrdinalStep& step) {
    return AddEncoding(
        {.categories = step.categories, .values = step.values, .unknown = step.unknown});
  }

  Status AddStep(const OneHotStep& step) {
    const auto outside = [&step](std::int64_t slot) { return slot < -1 || slot >= step.width; };
    if (step.width < 1) return InvalidArgument("it makes no number; leave the column out");
    if (std::ranges::any_of(step.slots, outside) || outside(step.unknown.value_or(-1))) {
      return InvalidArgument(StrCat("a slot is none of ", step.width));
    }
    ended_ = true;
    program_.width_ = static_cast<std::size_t>(step.width);
    program_.end_ = SetSlots{};
    return AddEncoding({.categories = step.categories,
                        .values = {step.slots.begin(), step.slots.end()},
                        .unknown = step.unknown});
  }

  Status AddStep(const HashStep& step) {
    if (kind_ != ColumnKind::kText) {
      return InvalidArgument("it needs strings, and gets numbers");
    }
    if (step.width < 1) return InvalidArgument("buckets must be 1 or more");
    AddHashes end{.step = step, .prefix = {}};
    end.prefix.Add(step.prefix);
    ended_ = true;
    program_.width_ = static_cast<std::size_t>(step.width);
    program_.end_ = std::move(end);
    return {};
  }

  Status AddEncoding(const Encoding& encoding) {
    if (encoding.categories.empty()) return InvalidArgument("it has no categories");
    if (encoding.categories.size() != encoding.values.size()) {
      return InvalidArgument(StrCat("it has ", encoding.categories.size(), " categories and ",
                                    encoding.values.size(), " values"));
    }
    for (const ColumnValue& category : encoding.categories) {
      RETURN_IF_ERROR(CheckKind(category, "a category"));
    }
    switch (std::exchange(kind_, ColumnKind::kNumber)) {
      case ColumnKind::kText:
        return AddTable<TextCategories, std::string>(
            encoding, [](const ColumnValue& v) { return std::get<std::string>(v); });
      case ColumnKind::kInteger:
        return AddTable<IntegerCategories, std::int64_t>(
            encoding, [](const ColumnValue& v) { return std::get<std::int64_t>(v); });
      case ColumnKind::kNumber:
        return AddTable<NumberCategories, double>(encoding, NumberOf);
    }
    return {};
  }

  template <typename Categories, typename Value, typename Read>
  Status AddTable(const Encoding& encoding, const Read& read) {
    std::vector<Value> values;
    values.reserve(encoding.categories.size());
    for (const ColumnValue& category : encoding.categories) values.push_back(read(category));
    Categories categories(values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (categories.Find(values[i]) != i) {
        return InvalidArgument(StrCat("category ", i, " was there before"));
      }
    }
    return Push(EncodeCategories<Categories>{.categories = std::move(categories),
                                             .values = encoding.values,
                                             .unknown = encoding.unknown});
  }

  ColumnKind kind_;
  bool ended_ = false;
  ColumnProgram& program_;
};

Result<ColumnProgram> ColumnProgram::Compile(ColumnKind kind, std::span<const ColumnStep> steps,
                                             bool refuse_missing) {
  ColumnProgram program;
  const bool may_miss = kind == ColumnKind::kNumber;
  if (kind == ColumnKind::kInteger && !StaysInteger(steps)) kind = ColumnKind::kNumber;
  program.kind_ = kind;
  program.sample_ = SampleFor(steps);
  Compiler compiler(kind, program);
  if (may_miss && refuse_missing && (steps.empty() || !ProvidesForMissing(steps.front()))) {
    compiler.RefuseMissing();
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Status status = compiler.Add(steps[i]);
    if (!status.ok()) {
      return InvalidArgument(
          StrCat("steps[", i, "].", kStepNames[steps[i].index()], ": ", status.message()));
    }
  }
  RETURN_IF_ERROR(compiler.End());
  return program;
}

}  // namespace penstock::preprocess
