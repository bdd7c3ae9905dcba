#include "inference/request_tensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/align.h"
#include "base/strings.h"
#include "inference/classification.h"
#include "tensor/bytes.h"
#include "tensor/spec_names.h"
#include "wire/typed_contents.h"

namespace penstock {
namespace {

std::optional<std::size_t> IndexOf(std::span<const TensorSpec> specs, std::string_view name) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name == name) return i;
  }
  return std::nullopt;
}

Status InputError(std::string_view name, const std::string& what) {
  return InvalidArgument(StrCat("input '", Printable(name), "': ", what));
}

// The shape that the client sent against the one declared, -1 being free.
Status CheckShape(const wire::InferInput& input, const TensorSpec& spec) {
  bool matches = input.shape.rank() == spec.shape.rank();
  for (std::size_t i = 0; matches && i < spec.shape.rank(); ++i) {
    matches = spec.shape[i] < 0 ? input.shape[i] >= 0 : input.shape[i] == spec.shape[i];
  }
  if (matches) return {};
  return InputError(input.name, StrCat("shape ", input.shape.ToString(), ", the model takes ",
                                       spec.shape.ToString()));
}

// Where a dimension is 0 the others cost no bytes: a message could claim any, and what goes through
// them one by one would not end. So much is more than anyone means.
constexpr std::int64_t kEmptyExtentMax = 1 << 24;

bool EmptyExtentFits(const Shape& shape) {
  std::int64_t left = kEmptyExtentMax;
  for (const std::int64_t dim : shape.dims()) left /= std::max<std::int64_t>(dim, 1);
  return left > 0;
}

// How many elements the shape holds, if their bytes can be counted.
Result<std::int64_t> CountElements(const wire::InferInput& input, DataType dtype) {
  const std::optional<std::int64_t> count = input.shape.ElementCount();
  if (count == 0 && !EmptyExtentFits(input.shape)) {
    return InputError(
        input.name,
        StrCat("shape ", input.shape.ToString(),
               " holds no elements; its other dimensions come to more than ", kEmptyExtentMax));
  }
  const std::size_t element = dtype == DataType::kBytes ? kBytesLengthSize : DataTypeSize(dtype);
  if (count.has_value() &&
      static_cast<std::uint64_t>(*count) <= std::numeric_limits<std::size_t>::max() / element) {
    return *count;
  }
  return InputError(input.name, StrCat("shape ", input.shape.ToString(),
                                       " holds more elements than can be counted"));
}

Status CheckRaw(const wire::InferInput& input, DataType dtype, std::int64_t count,
                std::span<const std::byte> raw) {
  if (dtype == DataType::kBytes) {
    const std::string fault = FindBytesFault(raw, count);
    if (fault.empty()) return {};
    return InputError(input.name,
                      StrCat("BYTES ", input.shape.ToString(), " in raw_input_contents ", fault));
  }
  const std::size_t needed = static_cast<std::size_t>(count) * DataTypeSize(dtype);
  if (raw.size() == needed) return {};
  return InputError(input.name, StrCat(raw.size(), " bytes in raw_input_contents, ", input.datatype,
                                       " ", input.shape.ToString(), " needs ", needed));
}

std::string Elements(std::int64_t count) {
  return StrCat(count, count == 1 ? " element" : " elements");
}

// Returns the bytes that the contents become.
Result<std::size_t> CheckTyped(const wire::InferInput& input, DataType dtype, std::int64_t count) {
  const auto mismatch = [&input, count](const std::string& given) {
    return InputError(input.name, StrCat(given, ", ", input.datatype, " ", input.shape.ToString(),
                                         " needs ", Elements(count)));
  };
  if (!input.has_contents && count > 0) {
    return mismatch("neither raw_input_contents nor typed contents");
  }
  const Result<wire::ContentsSize> size = wire::MeasureContents(input.contents, dtype);
  if (!size.ok()) return InputError(input.name, std::string(size.status().message()));
  if (size.value().element_count == count) return size.value().byte_count;
  return mismatch(StrCat(Elements(size.value().element_count), " in ", wire::ContentsField(dtype)));
}

// `raw` is null where the request has no raw contents.
Status BindInput(const wire::InferInput& input, const std::span<const std::byte>* raw,
                 std::span<const TensorSpec> specs, RequestTensors& tensors) {
  const std::optional<std::size_t> index = IndexOf(specs, input.name);
  if (!index.has_value()) {
    return InputError(input.name, StrCat("the model has no such input; it takes ", NamesOf(specs)));
  }
  const TensorSpec& spec = specs[*index];
  TensorView& view = tensors.inputs[*index];
  if (view.dtype != DataType::kInvalid) return InputError(input.name, "given more than once");
  if (DataTypeName(spec.dtype) != input.datatype) {
    return InputError(input.name, StrCat("datatype '", Printable(input.datatype),
                                         "', the model takes ", DataTypeName(spec.dtype)));
  }
  RETURN_IF_ERROR(CheckShape(input, spec));
  ASSIGN_OR_RETURN(const std::int64_t count, CountElements(input, spec.dtype));
  view.dtype = spec.dtype;
  view.shape = input.shape;
  if (raw != nullptr) {
    view.data = *raw;
    return CheckRaw(input, spec.dtype, count, *raw);
  }
  ASSIGN_OR_RETURN(const std::size_t byte_count, CheckTyped(input, spec.dtype, count));
  tensors.typed.push_back({.index = *index, .contents = input.contents, .byte_count = byte_count});
  return {};
}

// Of a request that has raw contents.
Status CheckRawEntries(const wire::InferRequest& request) {
  for (const wire::InferInput& input : request.inputs) {
    if (!input.has_contents) continue;
    return InputError(input.name, "typed contents beside raw_input_contents; send one of them");
  }
  if (request.raw_input_contents.size() == request.inputs.size()) return {};
  return InvalidArgument(StrCat(request.raw_input_contents.size(),
                                " entries in raw_input_contents for ", request.inputs.size(),
                                " inputs; one for each is expected, in their order"));
}

// What preprocessing makes of a request is bounded as a message is.
Status CheckRowsToPrepare(const ModelVersion& model, const RequestTensors& tensors) {
  if (model.pipeline() == nullptr || tensors.raw) return {};
  for (const TensorView& input : tensors.inputs) {
    if (input.shape.rank() == 0 || input.shape[0] <= model.prepared_rows_max()) continue;
    return InvalidArgument(StrCat("the request has ", input.shape[0], " rows, model '",
                                  model.name(), "' takes at most ", model.prepared_rows_max(),
                                  ": what its preprocessing makes of them would be longer than a "
                                  "message may be (max_message_bytes)"));
  }
  return {};
}

// Whether a request is for the model itself: the first of its inputs that tells, says so.
bool NamesRawInputs(const wire::InferRequest& request, const ModelVersion& model) {
  const auto among = [](std::span<const TensorSpec> specs, const wire::InferInput& input) {
    return std::ranges::any_of(specs, [&input](const TensorSpec& spec) {
      return spec.name == input.name && DataTypeName(spec.dtype) == input.datatype;
    });
  };
  for (const wire::InferInput& input : request.inputs) {
    const bool raw = among(model.raw_inputs(), input);
    if (raw != among(model.inputs(), input)) return raw;
  }
  return false;
}

// Rows are only counted where requests may share a run.
Status BindRows(const ModelVersion& model, RequestTensors& tensors) {
  tensors.rows = 1;
  if (!model.batchable()) return CheckRowsToPrepare(model, tensors);
  tensors.rows = tensors.inputs.front().shape[0];
  for (std::size_t i = 0; i < tensors.inputs.size(); ++i) {
    if (tensors.inputs[i].shape[0] != tensors.rows) {
      return InputError(tensors.specs[i].name,
                        StrCat(tensors.inputs[i].shape[0], " rows, input '", tensors.specs[0].name,
                               "' has ", tensors.rows));
    }
  }
  if (tensors.rows >= 1 && tensors.rows <= model.request_rows_max()) {
    return CheckRowsToPrepare(model, tensors);
  }
  if (tensors.rows < 1) {
    return InputError(tensors.specs[0].name,
                      StrCat("shape ", tensors.inputs.front().shape.ToString(),
                             " has no rows; at least 1 is expected"));
  }
  return InvalidArgument(StrCat("the request has ", tensors.rows, " rows, model '", model.name(),
                                "' takes 1 to ", model.request_rows_max(), " (max_batch_size)"));
}

bool IsToBePrepared(const ModelVersion& model, const RequestTensors& tensors) {
  return model.pipeline() != nullptr && model.pipeline()->prepares() && !tensors.raw;
}

// What the rows are expected to become; preprocessing will tell.
void EstimateRunLength(const ModelVersion& model, RequestTensors& tensors) {
  tensors.run_length = RunLength(model.pipeline()->EstimateLength(tensors.inputs));
}

// Of a model whose rows differ in length from request to request. A mask that was left out gets its
// shape here and its elements where the batch is gathered.
Status BindLength(const ModelVersion& model, const Ragged& ragged, RequestTensors& tensors) {
  if (IsToBePrepared(model, tensors)) {
    EstimateRunLength(model, tensors);
    return {};
  }
  const RaggedInput& first = ragged.inputs.front();
  const Shape& shape = tensors.inputs[first.index].shape;
  const std::int64_t length = shape[first.axis];
  for (const RaggedInput& input : ragged.inputs) {
    TensorView& view = tensors.inputs[input.index];
    const TensorSpec& spec = tensors.specs[input.index];
    if (view.dtype == DataType::kInvalid) {
      view = {.dtype = spec.dtype, .shape = {shape[0], length}, .data = {}};
    } else if (view.shape[input.axis] != length) {
      return InputError(spec.name, StrCat("shape ", view.shape.ToString(), ", but input '",
                                          Printable(tensors.specs[first.index].name), "' has ",
                                          shape.ToString(), ", a length of ", length));
    }
  }
  tensors.run_length = RunLength(length);
  return {};
}

bool MayBeLeftOut(const ModelVersion& model, const RequestTensors& tensors, std::size_t index) {
  if (model.ragged() == nullptr || IsToBePrepared(model, tensors)) return false;
  const RaggedInput* const input = model.ragged()->Find(index);
  // The first one tells the length.
  return input != nullptr && input->mask && input != &model.ragged()->inputs.front();
}

Status BindOutputs(const wire::InferRequest& request, const ModelVersion& model,
                   RequestTensors& tensors) {
  const std::span<const TensorSpec> specs = model.outputs();
  if (request.requested_outputs.empty()) {
    for (std::size_t i = 0; i < specs.size(); ++i) tensors.outputs.push_back(i);
    return {};
  }
  for (const std::string_view name : request.requested_outputs) {
    const std::optional<std::size_t> index = IndexOf(specs, name);
    if (!index.has_value()) {
      return InvalidArgument(StrCat("output '", Printable(name),
                                    "': the model has no such output; it gives ", NamesOf(specs)));
    }
    if (std::ranges::find(tensors.outputs, *index) != tensors.outputs.end()) {
      return InvalidArgument(StrCat("output '", Printable(name), "': requested more than once"));
    }
    tensors.outputs.push_back(*index);
  }
  return {};
}

// Of one output: the loop ranks and writes them, and others wait for it.
constexpr std::int64_t kClassesMax = std::int64_t{1} << 16;

// Classes in a row of an output; what is asked for where the model does not say.
std::int64_t ClassesInRow(const TensorSpec& spec, bool batchable, std::int64_t asked) {
  const std::span<const std::int64_t> dims = spec.shape.dims();
  Shape row;
  for (const std::int64_t dim : batchable ? dims.subspan(1) : dims) row.Append(dim);
  return std::min(row.ElementCount().value_or(asked), asked);
}

// Whether each output that is to be answered as classes has any, and not too many.
Status BindClasses(const wire::InferRequest& request, const ModelVersion& model,
                   RequestTensors& tensors) {
  for (const wire::RequestedClasses& classes : request.classes) {
    const TensorSpec& spec = model.outputs()[tensors.outputs[classes.output]];
    if (!CanClassify(spec.dtype)) {
      return InvalidArgument(
          StrCat("output '", spec.name, "': parameter 'classification': the output is ",
                 DataTypeName(spec.dtype), ", numbers are needed to tell classes"));
    }
    if (ClassesInRow(spec, model.batchable(), classes.count) > kClassesMax / tensors.rows) {
      return InvalidArgument(StrCat(
          "output '", spec.name, "': parameter 'classification': ", classes.count, " classes of ",
          tensors.rows, " rows; at most ", kClassesMax, " in all are given"));
    }
  }
  tensors.classes = request.classes;
  return {};
}

std::size_t RoomOf(const RequestTensors::Typed& input) {
  return AlignedUp(input.byte_count, BufferPool::kAlignment);
}

}  // namespace

std::size_t ConvertedBytes(const RequestTensors& tensors) {
  std::size_t total = 0;
  for (const RequestTensors::Typed& input : tensors.typed) total += RoomOf(input);
  return total;
}

Status ConvertTyped(const ModelVersion& model, BufferPool& buffers, RequestTensors& tensors) {
  const std::size_t total = ConvertedBytes(tensors);
  if (total == 0) return {};
  tensors.converted = buffers.Get(total);
  std::byte* to = tensors.converted.data();
  for (const RequestTensors::Typed& input : tensors.typed) {
    TensorView& view = tensors.inputs[input.index];
    const std::span<std::byte> data(to, input.byte_count);
    const Status status = wire::ConvertContents(input.contents, view.dtype, data);
    if (!status.ok()) {
      return InputError(tensors.specs[input.index].name, std::string(status.message()));
    }
    view.data = data;
    to += RoomOf(input);
  }
  // Before, there was nothing to estimate by.
  if (tensors.run_length > 0 && IsToBePrepared(model, tensors)) EstimateRunLength(model, tensors);
  return {};
}

void RequestTensors::Clear() {
  inputs.clear();
  specs = {};
  raw = false;
  rows = 1;
  run_length = 0;
  outputs.clear();
  classes.clear();
  typed.clear();
  converted.Reset();
}

Status BindRequest(const wire::InferRequest& request, const ModelVersion& model,
                   BufferPool& buffers, RequestTensors& tensors) {
  RETURN_IF_ERROR(CheckRequest(request, model, tensors));
  return ConvertTyped(model, buffers, tensors);
}

Status CheckRequest(const wire::InferRequest& request, const ModelVersion& model,
                    RequestTensors& tensors) {
  tensors.Clear();
  const bool raw = !request.raw_input_contents.empty();
  if (raw) RETURN_IF_ERROR(CheckRawEntries(request));
  tensors.raw = !model.raw_inputs().empty() && NamesRawInputs(request, model);
  const std::span<const TensorSpec> specs = tensors.raw ? model.raw_inputs() : model.inputs();
  tensors.specs = specs;
  tensors.inputs.resize(specs.size());
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    RETURN_IF_ERROR(BindInput(request.inputs[i], raw ? &request.raw_input_contents[i] : nullptr,
                              specs, tensors));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (tensors.inputs[i].dtype == DataType::kInvalid && !MayBeLeftOut(model, tensors, i)) {
      return InvalidArgument(
          StrCat("input '", specs[i].name, "' is missing; the model takes ", NamesOf(specs)));
    }
  }
  if (model.ragged() != nullptr) RETURN_IF_ERROR(BindLength(model, *model.ragged(), tensors));
  RETURN_IF_ERROR(BindRows(model, tensors));
  RETURN_IF_ERROR(BindOutputs(request, model, tensors));
  return request.classes.empty() ? Status() : BindClasses(request, model, tensors);
}

}  // namespace penstock
