#include "model/ragged_inputs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/strings.h"
#include "batching/gather.h"
#include "batching/unpadded_outputs.h"
#include "model/probe_numbers.h"

namespace penstock {
namespace {

std::optional<std::size_t> IndexOf(std::span<const TensorSpec> specs, std::string_view name) {
  const auto found = std::ranges::find(specs, name, &TensorSpec::name);
  if (found == specs.end()) return std::nullopt;
  return static_cast<std::size_t>(found - specs.begin());
}

Status NoSuchInput(const std::string& place, std::string_view name,
                   std::span<const TensorSpec> specs) {
  std::string names;
  for (const TensorSpec& spec : specs) {
    names.append(names.empty() ? "" : ", ").append(Printable(spec.name));
  }
  return InvalidArgument(
      StrCat(place, ": the model has no input '", Printable(name), "'; it takes ", names));
}

// The largest whole number of an integer type, and the smallest; nothing for others.
struct Range {
  double min = 0;
  double max = 0;
};
std::optional<Range> RangeOf(DataType dtype) {
  const auto bits = static_cast<int>(8 * DataTypeSize(dtype));
  switch (dtype) {
    case DataType::kBool:
      return Range{0, 1};
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
    case DataType::kUint64:
      return Range{0, std::ldexp(1.0, std::min(bits, 53)) - 1};
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
    case DataType::kInt64:
      return Range{-std::ldexp(1.0, std::min(bits - 1, 53)),
                   std::ldexp(1.0, std::min(bits - 1, 53)) - 1};
    case DataType::kFp16:
    case DataType::kBf16:
      return Range{-4, 4};
    default:
      return std::nullopt;
  }
}

Status CheckPad(const std::string& place, double pad, DataType dtype) {
  const std::optional<Range> range = RangeOf(dtype);
  const bool whole = IsFloat(dtype) || pad == std::floor(pad);
  if (whole && (!range.has_value() || (pad >= range->min && pad <= range->max))) return {};
  return InvalidArgument(StrCat(place, ".pad: does not fit ", DataTypeName(dtype),
                                whole ? "" : ", which takes whole numbers"));
}

// The input `name` with a free dimension `axis` behind the batch's.
Result<RaggedInput> Resolve(const std::string& place, const std::string& key,
                            const std::string& name, std::int64_t axis,
                            std::span<const TensorSpec> specs) {
  const std::optional<std::size_t> index = IndexOf(specs, name);
  if (!index.has_value()) return NoSuchInput(place + "." + key, name, specs);
  const TensorSpec& spec = specs[*index];
  const auto where = static_cast<std::size_t>(axis);
  if (axis < 1 || where >= spec.shape.rank() || spec.shape[where] >= 0) {
    return InvalidArgument(StrCat(place, key == "mask" ? ".mask" : ".axis", ": input '",
                                  Printable(name), "' has the shape ", spec.shape.ToString(),
                                  ", whose axis ", axis,
                                  axis == 0 ? " is the batch" : " is not free"));
  }
  if (spec.dtype == DataType::kBytes) {
    return InvalidArgument(
        StrCat(place, ".", key, ": input '", Printable(name), "' is BYTES; numbers are padded"));
  }
  RaggedInput input = {.index = *index, .axis = where};
  StoreNumber(spec.dtype, 1, std::span(input.one).first(DataTypeSize(spec.dtype)));
  return input;
}

Status AddMask(const std::string& place, const RaggedDeclaration& declared,
               std::span<const TensorSpec> specs, Ragged& ragged) {
  if (declared.mask.empty()) return {};
  ASSIGN_OR_RETURN(RaggedInput mask, Resolve(place, "mask", declared.mask, 1, specs));
  const TensorSpec& spec = specs[mask.index];
  if (spec.shape.rank() != 2) {
    return InvalidArgument(StrCat(place, ".mask: input '", Printable(spec.name), "' has the shape ",
                                  spec.shape.ToString(), ", [rows, length] is expected"));
  }
  const RaggedInput* const known = ragged.Find(mask.index);
  if (known != nullptr && known->mask) return {};
  if (known != nullptr) {
    return InvalidArgument(StrCat(place, ".mask: '", Printable(spec.name),
                                  "' stands there as an input, too; name it once"));
  }
  mask.mask = true;
  ragged.inputs.push_back(mask);
  return {};
}

}  // namespace

Result<Ragged> ResolveRagged(std::span<const RaggedDeclaration> declared,
                             std::span<const TensorSpec> inputs) {
  Ragged ragged;
  for (std::size_t i = 0; i < declared.size(); ++i) {
    const std::string place = StrCat("ragged[", i, "]");
    const RaggedDeclaration& one = declared[i];
    ASSIGN_OR_RETURN(RaggedInput input, Resolve(place, "input", one.input, one.axis, inputs));
    if (ragged.Find(input.index) != nullptr) {
      return InvalidArgument(
          StrCat(place, ".input: '", Printable(one.input), "' stands there twice"));
    }
    const DataType dtype = inputs[input.index].dtype;
    RETURN_IF_ERROR(CheckPad(place, one.pad, dtype));
    StoreNumber(dtype, one.pad, std::span(input.pad).first(DataTypeSize(dtype)));
    ragged.inputs.push_back(input);
  }
  for (std::size_t i = 0; i < declared.size(); ++i) {
    RETURN_IF_ERROR(AddMask(StrCat("ragged[", i, "]"), declared[i], inputs, ragged));
  }
  return ragged;
}

Ragged RaggedOf(const Pipeline& pipeline, std::span<const TensorSpec> inputs) {
  Ragged ragged;
  if (!pipeline.makes_one_length()) return ragged;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TransformPort& made = pipeline.made(i);
    if (!made.padding.has_value()) continue;
    const std::span<const std::int64_t> dims = made.row_shape.dims();
    const auto free = std::ranges::find_if(dims, [](std::int64_t dim) { return dim < 0; });
    const std::size_t element_size = DataTypeSize(made.dtype);
    RaggedInput& input = ragged.inputs.emplace_back();
    input.index = i;
    input.axis = static_cast<std::size_t>(free - dims.begin()) + 1;
    input.mask = made.padding->mask;
    input.before = made.padding->before;
    StoreNumber(made.dtype, static_cast<double>(made.padding->value),
                std::span(input.pad).first(element_size));
    StoreNumber(made.dtype, 1, std::span(input.one).first(element_size));
  }
  // The first one tells the length, and a mask may be left out.
  std::ranges::stable_partition(ragged.inputs, std::logical_not<>(), &RaggedInput::mask);
  return ragged;
}

namespace {

constexpr std::int64_t kShort = 5;
constexpr std::int64_t kLong = 8;

using OutputsPtr = std::shared_ptr<const SessionOutputs>;

// Rows of the two lengths, one each, as entries bring them.
class RaggedProof final {
 public:
  RaggedProof(Session& session, const Pipeline* pipeline, ProbeInputs::Recipe recipe,
              Ragged& ragged)
      : session_(session),
        pipeline_(pipeline),
        ragged_(ragged),
        short_(WithLength(session.inputs(), &ragged, kShort), recipe, 1),
        long_(WithLength(session.inputs(), &ragged, kLong), recipe, 1) {}

  Status Prove();

 private:
  std::string NameOf(std::size_t output) const {
    const std::span<const TensorSpec> outputs =
        pipeline_ == nullptr ? session_.outputs() : pipeline_->outputs();
    return StrCat("output '", Printable(outputs[output].name), "'");
  }
  Result<OutputsPtr> Run(std::span<const TensorView> inputs, const std::string& what) {
    Result<std::unique_ptr<SessionOutputs>> ran = session_.Run(inputs);
    if (ran.ok() && pipeline_ != nullptr) {
      ran = pipeline_->Finish(inputs, std::move(ran).value(), work_);
    }
    if (ran.ok()) return OutputsPtr(std::move(ran).value());
    return FailedPrecondition(
        StrCat("ragged: a run of ", what, " fails: ", ran.status().message()));
  }
  Status FindOutputs(const SessionOutputs& of_short, const SessionOutputs& of_long);
  Status Compare(const SessionOutputs& alone, const OutputsPtr& together, std::int64_t row,
                 std::int64_t length) const;

  Session& session_;
  const Pipeline* const pipeline_;
  PipelineWork work_;
  Ragged& ragged_;
  const ProbeInputs short_;
  const ProbeInputs long_;
};

// An axis that is as long as the inputs in both cases follows them.
Status RaggedProof::FindOutputs(const SessionOutputs& of_short, const SessionOutputs& of_long) {
  for (std::size_t i = 0; i < of_short.tensors().size(); ++i) {
    const TensorView& shorter = of_short.tensors()[i];
    const TensorView& longer = of_long.tensors()[i];
    if (shorter.shape == longer.shape) continue;
    RaggedOutput output = {.index = i};
    bool follows = shorter.shape.rank() == longer.shape.rank() && shorter.shape[0] == 1 &&
                   longer.shape[0] == 1 && shorter.dtype != DataType::kBytes;
    for (std::size_t axis = 1; follows && axis < shorter.shape.rank(); ++axis) {
      if (shorter.shape[axis] == longer.shape[axis]) continue;
      follows = shorter.shape[axis] == kShort && longer.shape[axis] == kLong;
      output.axes |= std::uint32_t{1} << axis;
    }
    if (!follows) {
      return FailedPrecondition(StrCat("ragged: ", NameOf(i), " has the shape ",
                                       shorter.shape.ToString(), " for a length of ", kShort,
                                       " and ", longer.shape.ToString(), " for ", kLong,
                                       "; it cannot be cut back to what a request brought"));
    }
    ragged_.outputs.push_back(output);
  }
  return {};
}

Status RaggedProof::Compare(const SessionOutputs& alone, const OutputsPtr& together,
                            std::int64_t row, std::int64_t length) const {
  const RowRange rows = {.first = row, .count = 1, .of = 2};
  const UnpaddedOutputs unpadded(together, ragged_, rows, length);
  for (std::size_t i = 0; i < alone.tensors().size(); ++i) {
    const TensorView& tensor = unpadded.tensors()[i];
    const std::span<const std::byte> own =
        tensor.shape[0] == 1 ? tensor.data : OutputRows(*together, i, rows);
    if (ElementsAgree(tensor.dtype, alone.tensors()[i].data, own)) continue;
    const bool masked = std::ranges::any_of(ragged_.inputs, &RaggedInput::mask);
    return FailedPrecondition(
        StrCat("ragged: padding changes what the model answers: ", NameOf(i), " for a length of ",
               length, " differs between a run alone and one with a length of ", kLong,
               masked ? "" : "; a mask would tell the model what is padding"));
  }
  return {};
}

Status RaggedProof::Prove() {
  ASSIGN_OR_RETURN(const OutputsPtr of_short,
                   Run(short_.views(), StrCat("a row of length ", kShort)));
  ASSIGN_OR_RETURN(const OutputsPtr of_long, Run(long_.views(), StrCat("a row of length ", kLong)));
  RETURN_IF_ERROR(FindOutputs(*of_short, *of_long));
  Gatherer gatherer;
  TensorArena arena;
  const std::array members = {short_.views(), long_.views()};
  const Gathered gathered = gatherer.Gather(members, &ragged_, arena);
  ASSIGN_OR_RETURN(const OutputsPtr together, Run(gathered.inputs, "rows of two lengths"));
  RETURN_IF_ERROR(CheckRaggedOutputs(*together, ragged_, kLong));
  for (std::size_t i = 0; i < together->tensors().size(); ++i) {
    const Shape& shape = together->tensors()[i].shape;
    if (shape.rank() > 0 && shape[0] == 2) continue;
    return FailedPrecondition(
        StrCat("ragged: ", NameOf(i), " has the shape ", shape.ToString(), " for two rows"));
  }
  RETURN_IF_ERROR(Compare(*of_short, together, 0, kShort));
  return Compare(*of_long, together, 1, kLong);
}

}  // namespace

Status ProveRagged(Session& session, const Pipeline* pipeline, ProbeInputs::Recipe recipe,
                   Ragged& ragged) {
  return RaggedProof(session, pipeline, recipe, ragged).Prove();
}

std::vector<TensorSpec> WithLength(std::span<const TensorSpec> inputs, const Ragged* ragged,
                                   std::int64_t length) {
  std::vector<TensorSpec> specs(inputs.begin(), inputs.end());
  if (ragged == nullptr) return specs;
  for (const RaggedInput& input : ragged->inputs) specs[input.index].shape.Set(input.axis, length);
  return specs;
}

std::uint64_t MasksOf(const Ragged& ragged) {
  std::uint64_t masks = 0;
  for (const RaggedInput& input : ragged.inputs) {
    if (input.mask && input.index < 64) masks |= std::uint64_t{1} << input.index;
  }
  return masks;
}

std::string DescribeRagged(const Ragged& ragged, std::span<const TensorSpec> inputs,
                           std::span<const TensorSpec> outputs) {
  std::string text;
  for (const RaggedInput& input : ragged.inputs) {
    text.append(text.empty() ? "" : ", ").append(Printable(inputs[input.index].name));
    if (input.mask) text += " (mask)";
  }
  for (std::size_t i = 0; i < ragged.outputs.size(); ++i) {
    text.append(i == 0 ? "; cut back: " : ", ");
    text.append(Printable(outputs[ragged.outputs[i].index].name));
  }
  return text;
}

}  // namespace penstock
