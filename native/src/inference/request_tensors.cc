#include "inference/request_tensors.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/strings.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

std::string NamesOf(std::span<const TensorSpec> specs) {
  std::string names;
  for (const TensorSpec& spec : specs) {
    names.append(names.empty() ? "'" : ", '").append(spec.name).append("'");
  }
  return names;
}

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

Status CheckBytes(const wire::InferInput& input, DataType dtype, std::span<const std::byte> raw) {
  const std::optional<std::int64_t> count = input.shape.ElementCount();
  const std::size_t element = dtype == DataType::kBytes ? kBytesLengthSize : DataTypeSize(dtype);
  if (!count.has_value() ||
      static_cast<std::uint64_t>(*count) > std::numeric_limits<std::size_t>::max() / element) {
    return InputError(input.name, StrCat("shape ", input.shape.ToString(),
                                         " holds more elements than can be counted"));
  }
  if (dtype == DataType::kBytes) {
    const std::string fault = FindBytesFault(raw, *count);
    if (fault.empty()) return {};
    return InputError(input.name,
                      StrCat("BYTES ", input.shape.ToString(), " in raw_input_contents ", fault));
  }
  const std::size_t needed = static_cast<std::size_t>(*count) * element;
  if (raw.size() == needed) return {};
  return InputError(input.name, StrCat(raw.size(), " bytes in raw_input_contents, ", input.datatype,
                                       " ", input.shape.ToString(), " needs ", needed));
}

Status BindInput(const wire::InferInput& input, std::span<const std::byte> raw,
                 std::span<const TensorSpec> specs, std::vector<TensorView>& views) {
  const std::optional<std::size_t> index = IndexOf(specs, input.name);
  if (!index.has_value()) {
    return InputError(input.name, StrCat("the model has no such input; it takes ", NamesOf(specs)));
  }
  const TensorSpec& spec = specs[*index];
  TensorView& view = views[*index];
  if (view.dtype != DataType::kInvalid) return InputError(input.name, "given more than once");
  if (DataTypeName(spec.dtype) != input.datatype) {
    return InputError(input.name, StrCat("datatype '", Printable(input.datatype),
                                         "', the model takes ", DataTypeName(spec.dtype)));
  }
  RETURN_IF_ERROR(CheckShape(input, spec));
  RETURN_IF_ERROR(CheckBytes(input, spec.dtype, raw));
  view = {.dtype = spec.dtype, .shape = input.shape, .data = raw};
  return {};
}

Status CheckRawEntries(const wire::InferRequest& request) {
  for (const wire::InferInput& input : request.inputs) {
    if (!input.has_contents) continue;
    if (!request.raw_input_contents.empty()) {
      return InputError(input.name, "typed contents beside raw_input_contents; send one of them");
    }
    return Unimplemented(StrCat("input '", Printable(input.name),
                                "': typed contents are not supported; use raw_input_contents"));
  }
  if (request.raw_input_contents.size() == request.inputs.size()) return {};
  return InvalidArgument(StrCat(request.raw_input_contents.size(),
                                " entries in raw_input_contents for ", request.inputs.size(),
                                " inputs; one for each is expected, in their order"));
}

// Rows are only counted where requests may share a run.
Status BindRows(const ModelVersion& model, RequestTensors& tensors) {
  tensors.rows = 1;
  if (!model.batchable()) return {};
  tensors.rows = tensors.inputs.front().shape[0];
  for (std::size_t i = 0; i < tensors.inputs.size(); ++i) {
    if (tensors.inputs[i].shape[0] != tensors.rows) {
      return InputError(model.inputs()[i].name,
                        StrCat(tensors.inputs[i].shape[0], " rows, input '", model.inputs()[0].name,
                               "' has ", tensors.rows));
    }
  }
  if (tensors.rows >= 1 && tensors.rows <= model.request_rows_max()) return {};
  if (tensors.rows < 1) {
    return InputError(model.inputs()[0].name,
                      StrCat("shape ", tensors.inputs.front().shape.ToString(),
                             " has no rows; at least 1 is expected"));
  }
  return InvalidArgument(StrCat("the request has ", tensors.rows, " rows, model '", model.name(),
                                "' takes 1 to ", model.request_rows_max(), " (max_batch_size)"));
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

}  // namespace

void RequestTensors::Clear() {
  inputs.clear();
  rows = 1;
  outputs.clear();
}

Status BindRequest(const wire::InferRequest& request, const ModelVersion& model,
                   RequestTensors& tensors) {
  tensors.Clear();
  RETURN_IF_ERROR(CheckRawEntries(request));
  const std::span<const TensorSpec> specs = model.inputs();
  tensors.inputs.resize(specs.size());
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    RETURN_IF_ERROR(
        BindInput(request.inputs[i], request.raw_input_contents[i], specs, tensors.inputs));
  }
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (tensors.inputs[i].dtype == DataType::kInvalid) {
      return InvalidArgument(
          StrCat("input '", specs[i].name, "' is missing; the model takes ", NamesOf(specs)));
    }
  }
  RETURN_IF_ERROR(BindRows(model, tensors));
  return BindOutputs(request, model, tensors);
}

}  // namespace penstock
