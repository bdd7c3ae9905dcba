// MakeColumnsTransform: the columns of some tensors, each through its program, into rows of others.
#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <penstock/columns.h>

#include "base/strings.h"
#include "preprocess/tabular/column_program.h"
#include "preprocess/transform.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

using preprocess::ColumnBlock;
using preprocess::ColumnKind;
using preprocess::ColumnProgram;

std::optional<ColumnKind> KindOf(DataType dtype) {
  switch (dtype) {
    case DataType::kBytes:
      return ColumnKind::kText;
    case DataType::kFp32:
    case DataType::kFp64:
      return ColumnKind::kNumber;
    case DataType::kBool:
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
      return ColumnKind::kInteger;
    default:
      return std::nullopt;
  }
}

// Calls `use` with a value of the type that holds a number of this datatype.
template <typename Use>
auto WithType(DataType dtype, const Use& use) {
  switch (dtype) {
    case DataType::kFp32:
      return use(float{});
    case DataType::kFp64:
      return use(double{});
    case DataType::kBool:
    case DataType::kUint8:
      return use(std::uint8_t{});
    case DataType::kUint16:
      return use(std::uint16_t{});
    case DataType::kUint32:
      return use(std::uint32_t{});
    case DataType::kInt8:
      return use(std::int8_t{});
    case DataType::kInt16:
      return use(std::int16_t{});
    case DataType::kInt32:
      return use(std::int32_t{});
    default:
      return use(std::int64_t{});
  }
}

// Where a column stands: which tensor, and which of the elements of its rows.
struct ColumnPlace {
  std::size_t input = 0;
  std::size_t offset = 0;
  std::size_t stride = 1;
};

// The values of one column, block by block from its first row.
class ColumnReader final {
 public:
  ColumnReader(const TensorView& tensor, const ColumnPlace& place, ColumnKind kind)
      : tensor_(tensor), place_(place), kind_(kind), texts_(tensor.data) {
    if (kind != ColumnKind::kText) return;
    SkipTexts(place.offset);
  }

  // Fills as many as the block is to have.
  void Read(ColumnBlock& block) {
    if (kind_ == ColumnKind::kText) {
      ReadTexts(block);
    } else if (kind_ == ColumnKind::kInteger) {
      ReadNumbers(block, block.integers.data());
    } else {
      ReadNumbers(block, block.numbers.data());
    }
  }

 private:
  void SkipTexts(std::size_t count) {
    for (std::size_t i = 0; i < count && !texts_.done(); ++i) (void)texts_.Next();
  }
  void ReadTexts(ColumnBlock& block) {
    for (std::size_t row = 0; row < block.rows; ++row) {
      const std::span<const std::byte> text = texts_.Next();
      block.texts[row] = {reinterpret_cast<const char*>(text.data()), text.size()};
      SkipTexts(place_.stride - 1);
    }
  }
  template <typename To>
  void ReadNumbers(ColumnBlock& block, To* to) const {
    WithType(tensor_.dtype, [this, &block, to](auto type) {
      using T = decltype(type);
      const std::size_t first = static_cast<std::size_t>(block.first_row) * place_.stride;
      const std::byte* at = tensor_.data.data() + (first + place_.offset) * sizeof(T);
      for (std::size_t row = 0; row < block.rows; ++row, at += place_.stride * sizeof(T)) {
        T value;
        std::memcpy(&value, at, sizeof(T));  // a request's tensor may stand anywhere
        to[row] = static_cast<To>(+value);
      }
    });
  }

  const TensorView& tensor_;
  const ColumnPlace& place_;
  const ColumnKind kind_;
  BytesReader texts_;
};

class ColumnScratch final : public Transform::Scratch {
 public:
  ColumnBlock block;
};

class ColumnsTransform final : public Transform {
 public:
  static Result<std::shared_ptr<const Transform>> Create(const ColumnsSpec& spec) {
    std::shared_ptr<ColumnsTransform> made(new ColumnsTransform(spec.output_bytes_max));
    for (const ColumnsSpec::Input& input : spec.inputs) RETURN_IF_ERROR(made->AddInput(input));
    for (const std::string& datatype : spec.outputs) RETURN_IF_ERROR(made->AddOutput(datatype));
    for (std::size_t i = 0; i < spec.features.size(); ++i) {
      const Status status = made->AddFeature(spec.features[i]);
      if (!status.ok()) {
        return InvalidArgument(StrCat("features[", i, "]", status.message()));
      }
    }
    RETURN_IF_ERROR(made->Finish());
    return std::shared_ptr<const Transform>(std::move(made));
  }

  std::span<const TransformPort> inputs() const override { return inputs_; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> /*inputs*/) const override {
    std::vector<TransformPort> ports;
    ports.reserve(outputs_.size());
    for (const Output& output : outputs_) {
      ports.push_back(
          {.dtype = output.dtype, .row_shape = {static_cast<std::int64_t>(output.width)}});
    }
    return ports;
  }
  std::unique_ptr<Scratch> MakeScratch() const override {
    return std::make_unique<ColumnScratch>();
  }
  bool brief() const override { return true; }
  std::vector<TensorView> SampleRow(TensorArena& arena) const override;

  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Scratch* scratch, std::span<TensorView> outputs) const override;

 private:
  struct Output {
    DataType dtype = DataType::kInvalid;
    std::size_t width = 0;
    bool sparse = false;  // something writes only what is not 0
  };
  // One column's way, or one of several that are hashed together.
  struct Feature {
    std::string column;
    ColumnPlace place;
    std::size_t output = 0;
    std::size_t offset = 0;  // in the output's rows
    ColumnProgram program;
  };

  explicit ColumnsTransform(std::int64_t output_bytes_max) : output_bytes_max_(output_bytes_max) {}

  Status AddInput(const ColumnsSpec::Input& input);
  Status AddOutput(const std::string& datatype);
  Status AddFeature(const ColumnsSpec::Feature& feature);
  Status Finish();

  Status RunFeature(const Feature& feature, const TensorView& input, std::int64_t rows,
                    ColumnBlock& block, std::byte* output) const;

  const std::int64_t output_bytes_max_;
  std::vector<TransformPort> inputs_;
  std::vector<std::vector<ColumnValue>> samples_;  // of each input, one for each of its columns
  std::map<std::string, ColumnPlace, std::less<>> places_;
  std::vector<Output> outputs_;
  std::vector<Feature> features_;
};

Status ColumnsTransform::AddInput(const ColumnsSpec::Input& input) {
  const DataType dtype = DataTypeFromName(input.datatype);
  const std::optional<ColumnKind> kind = KindOf(dtype);
  if (!kind.has_value()) {
    return InvalidArgument(StrCat("inputs: columns cannot be ", input.datatype));
  }
  const auto width = static_cast<std::int64_t>(input.columns.size());
  if (width == 0) return InvalidArgument("inputs: an input has no columns");
  for (std::size_t i = 0; i < input.columns.size(); ++i) {
    const ColumnPlace place{.input = inputs_.size(), .offset = i, .stride = input.columns.size()};
    if (!places_.emplace(input.columns[i], place).second) {
      return InvalidArgument(StrCat("inputs: two columns are named '", input.columns[i], "'"));
    }
  }
  inputs_.push_back({.dtype = dtype, .row_shape = input.matrix ? Shape{width} : Shape{}});
  samples_.emplace_back(input.columns.size(),
                        *kind == ColumnKind::kText ? ColumnValue("text") : ColumnValue(0.0));
  return {};
}

Status ColumnsTransform::AddOutput(const std::string& datatype) {
  const DataType dtype = DataTypeFromName(datatype);
  if (dtype != DataType::kFp32 && dtype != DataType::kFp64 && dtype != DataType::kInt32 &&
      dtype != DataType::kInt64) {
    return InvalidArgument(
        StrCat("datatype: ", datatype, " is none of FP32, FP64, INT32 and INT64"));
  }
  outputs_.push_back({.dtype = dtype});
  return {};
}

Status ColumnsTransform::AddFeature(const ColumnsSpec::Feature& feature) {
  if (feature.output >= outputs_.size()) return InvalidArgument(".to: there is no such tensor");
  Output& output = outputs_[feature.output];
  std::size_t width = 0;
  for (const std::string& column : feature.columns) {
    const auto place = places_.find(column);
    if (place == places_.end()) {
      return InvalidArgument(StrCat(": no input has a column '", column, "'"));
    }
    const ColumnKind kind = KindOf(inputs_[place->second.input].dtype).value();
    Result<ColumnProgram> program =
        ColumnProgram::Compile(kind, feature.steps, feature.refuse_missing);
    if (!program.ok()) {
      const bool at_step = program.status().message().starts_with("steps");
      return InvalidArgument(StrCat(at_step ? "." : ": ", program.status().message()));
    }
    if (feature.columns.size() > 1 && !program->adds()) {
      return InvalidArgument(".columns: several of them can only be hashed");
    }
    width = program->width();
    output.sparse |= program->sparse();
    if (program->sample().has_value()) {
      samples_[place->second.input][place->second.offset] = *program->sample();
    }
    features_.push_back({.column = column,
                         .place = place->second,
                         .output = feature.output,
                         .offset = output.width,
                         .program = std::move(program).value()});
  }
  output.width += width;
  return {};
}

Status ColumnsTransform::Finish() {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (outputs_[i].width == 0) return InvalidArgument(StrCat("features: none goes to tensor ", i));
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    const bool used = std::ranges::any_of(
        features_, [i](const Feature& feature) { return feature.place.input == i; });
    if (!used) return InvalidArgument(StrCat("inputs: no feature uses input ", i));
  }
  return {};
}

Status ColumnsTransform::Run(std::span<const TensorView> inputs, std::int64_t rows,
                             TensorArena& arena, Scratch* scratch,
                             std::span<TensorView> outputs) const {
  ColumnBlock& block = static_cast<ColumnScratch*>(scratch)->block;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const std::size_t row_bytes = outputs_[i].width * DataTypeSize(outputs_[i].dtype);
    if (static_cast<std::size_t>(rows) > static_cast<std::size_t>(output_bytes_max_) / row_bytes) {
      return InvalidArgument(StrCat(rows, " rows of ", row_bytes, " bytes would be made, at most ",
                                    output_bytes_max_, " bytes are"));
    }
    const std::span<std::byte> data = arena.Get(static_cast<std::size_t>(rows) * row_bytes);
    if (outputs_[i].sparse) std::ranges::fill(data, std::byte{0});
    outputs[i] = {.dtype = outputs_[i].dtype,
                  .shape = {rows, static_cast<std::int64_t>(outputs_[i].width)},
                  .data = data};
    for (const Feature& feature : features_) {
      if (feature.output != i) continue;
      RETURN_IF_ERROR(RunFeature(feature, inputs[feature.place.input], rows, block, data.data()));
    }
  }
  return {};
}

Status ColumnsTransform::RunFeature(const Feature& feature, const TensorView& input,
                                    std::int64_t rows, ColumnBlock& block,
                                    std::byte* output) const {
  const Output& to = outputs_[feature.output];
  ColumnReader reader(input, feature.place, feature.program.kind());
  block.column = feature.column;
  for (std::int64_t row = 0; row < rows; row += ColumnBlock::kRowsMax) {
    block.first_row = row;
    block.rows = std::min(ColumnBlock::kRowsMax, static_cast<std::size_t>(rows - row));
    reader.Read(block);
    const std::size_t at = static_cast<std::size_t>(row) * to.width + feature.offset;
    const auto run = [&feature, &block, &to, output, at](auto type) {
      return feature.program.Run(block, reinterpret_cast<decltype(type)*>(output) + at, to.width);
    };
    switch (to.dtype) {
      case DataType::kFp32:
        RETURN_IF_ERROR(run(float{}));
        break;
      case DataType::kFp64:
        RETURN_IF_ERROR(run(double{}));
        break;
      case DataType::kInt32:
        RETURN_IF_ERROR(run(std::int32_t{}));
        break;
      default:
        RETURN_IF_ERROR(run(std::int64_t{}));
    }
  }
  return {};
}

std::vector<TensorView> ColumnsTransform::SampleRow(TensorArena& arena) const {
  std::vector<TensorView> row;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    std::vector<std::byte> made;
    for (const ColumnValue& value : samples_[i]) {
      if (const auto* const text = std::get_if<std::string>(&value)) {
        made.resize(made.size() + kBytesLengthSize + text->size());
        PutBytesElement(made.data() + made.size() - kBytesLengthSize - text->size(),
                        std::as_bytes(std::span(*text)));
        continue;
      }
      WithType(inputs_[i].dtype, [&made, &value](auto type) {
        using T = decltype(type);
        const auto* const integer = std::get_if<std::int64_t>(&value);
        const T number =
            integer != nullptr ? static_cast<T>(*integer) : static_cast<T>(std::get<double>(value));
        made.resize(made.size() + sizeof(T));
        std::memcpy(made.data() + made.size() - sizeof(T), &number, sizeof(T));
      });
    }
    const std::span<std::byte> data = arena.Get(made.size());
    std::ranges::copy(made, data.begin());
    Shape shape{1};
    for (const std::int64_t dim : inputs_[i].row_shape.dims()) shape.Append(dim);
    row.push_back({.dtype = inputs_[i].dtype, .shape = shape, .data = data});
  }
  return row;
}

}  // namespace

std::shared_ptr<const Transform> MakeColumnsTransform(const ColumnsSpec& spec, StepError* error) {
  Result<std::shared_ptr<const Transform>> made = ColumnsTransform::Create(spec);
  if (made.ok()) return std::move(made).value();
  *error = {.step = 0, .message = std::string(made.status().message())};
  return nullptr;
}

}  // namespace penstock
