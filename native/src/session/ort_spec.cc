// Asks the engine for names, types and dimensions, one tensor at a time.
#include "session/ort_spec.h"

#include <array>
#include <string>
#include <utility>

#include "base/strings.h"
#include "session/ort_handle.h"
#include "session/ort_status.h"

namespace penstock {
namespace {

constexpr std::string_view kWhat = "ONNX Runtime does not describe the model";

// The index is the engine's element type.
constexpr std::array<DataType, 17> kDataTypes = {
    DataType::kInvalid,  // undefined
    DataType::kFp32,    DataType::kUint8,   DataType::kInt8,    DataType::kUint16,
    DataType::kInt16,   DataType::kInt32,   DataType::kInt64,   DataType::kBytes,
    DataType::kBool,    DataType::kFp16,    DataType::kFp64,    DataType::kUint32,
    DataType::kUint64,  DataType::kInvalid, DataType::kInvalid,  // complex64, complex128
    DataType::kBf16};

std::string ElementTypeName(int element_type) {
  switch (element_type) {
    case ort_abi::kElementComplex64:
      return "complex64";
    case ort_abi::kElementComplex128:
      return "complex128";
    default:
      return StrCat("element type ", element_type);
  }
}

std::string_view ValueTypeName(int value_type) {
  constexpr std::array<std::string_view, 7> kNames = {
      "a value of unknown type", "a tensor",        "a sequence", "a map",
      "an opaque value",         "a sparse tensor", "an optional"};
  const std::size_t index = static_cast<std::size_t>(value_type);
  return index < kNames.size() ? kNames[index] : kNames[0];
}

// One side of a model: the slots that describe it and the word for one of its tensors.
struct Side {
  std::string_view word;
  ort_abi::Status* (*get_count)(const ort_abi::Session*, std::size_t*);
  ort_abi::Status* (*get_name)(const ort_abi::Session*, std::size_t, ort_abi::Allocator*, char**);
  ort_abi::Status* (*get_type)(const ort_abi::Session*, std::size_t, ort_abi::TypeInfo**);
};

Status ReadName(const ort_abi::Api& api, const ort_abi::Session* session, const Side& side,
                std::size_t index, std::string& name) {
  ort_abi::Allocator* allocator = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetAllocatorWithDefaultOptions(&allocator), kWhat));
  char* text = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, side.get_name(session, index, allocator, &text), kWhat));
  name = text;
  return TakeSetupStatus(api, api.AllocatorFree(allocator, text), kWhat);
}

Status ReadDims(const ort_abi::Api& api, const ort_abi::TensorInfo* info, std::string_view subject,
                TensorSpec& spec) {
  std::size_t rank = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetDimensionsCount(info, &rank), kWhat));
  if (rank > Shape::kRankMax) {
    return FailedPrecondition(
        StrCat(subject, " has ", rank, " dimensions, at most ", Shape::kRankMax, " are served"));
  }
  std::array<std::int64_t, Shape::kRankMax> dims{};
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetDimensions(info, dims.data(), rank), kWhat));
  for (std::size_t i = 0; i < rank; ++i) spec.shape.Append(dims[i] < 0 ? -1 : dims[i]);
  spec.first_dim_symbolic = rank > 0 && spec.shape[0] < 0;
  return {};
}

Result<TensorSpec> ReadSpec(const ort_abi::Api& api, const ort_abi::Session* session,
                            const Side& side, std::size_t index) {
  TensorSpec spec;
  RETURN_IF_ERROR(ReadName(api, session, side, index, spec.name));
  const std::string subject = StrCat(side.word, " '", Printable(spec.name), "'");

  ort_abi::TypeInfo* raw = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, side.get_type(session, index, &raw), kWhat));
  const OrtHandle<ort_abi::TypeInfo> type(raw, api.ReleaseTypeInfo);
  int value_type = 0;
  RETURN_IF_ERROR(
      TakeSetupStatus(api, api.GetOnnxTypeFromTypeInfo(type.get(), &value_type), kWhat));
  if (value_type != ort_abi::kOnnxTypeTensor) {
    return FailedPrecondition(
        StrCat(subject, " is ", ValueTypeName(value_type), "; only tensors are served"));
  }
  // Borrowed from `type`.
  const ort_abi::TensorInfo* info = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.CastTypeInfoToTensorInfo(type.get(), &info), kWhat));
  int element_type = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetTensorElementType(info, &element_type), kWhat));
  spec.dtype = DataTypeFromElementType(element_type);
  if (spec.dtype == DataType::kInvalid) {
    return FailedPrecondition(StrCat(subject, " is a tensor of ", ElementTypeName(element_type),
                                     "; only numbers, booleans and strings are served"));
  }
  RETURN_IF_ERROR(ReadDims(api, info, subject, spec));
  return spec;
}

Result<std::vector<TensorSpec>> ReadSpecs(const ort_abi::Api& api, const ort_abi::Session* session,
                                          const Side& side) {
  std::size_t count = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, side.get_count(session, &count), kWhat));
  std::vector<TensorSpec> specs;
  for (std::size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(TensorSpec spec, ReadSpec(api, session, side, i));
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace

DataType DataTypeFromElementType(int element_type) {
  const std::size_t index = static_cast<std::size_t>(element_type);
  return index < kDataTypes.size() ? kDataTypes[index] : DataType::kInvalid;
}

int ElementTypeFromDataType(DataType type) {
  if (type == DataType::kInvalid) return ort_abi::kElementUndefined;
  for (std::size_t i = 0; i < kDataTypes.size(); ++i) {
    if (kDataTypes[i] == type) return static_cast<int>(i);
  }
  return ort_abi::kElementUndefined;
}

Result<std::vector<TensorSpec>> ReadInputSpecs(const ort_abi::Api& api,
                                               const ort_abi::Session* session) {
  return ReadSpecs(api, session,
                   {.word = "input",
                    .get_count = api.SessionGetInputCount,
                    .get_name = api.SessionGetInputName,
                    .get_type = api.SessionGetInputTypeInfo});
}

Result<std::vector<TensorSpec>> ReadOutputSpecs(const ort_abi::Api& api,
                                                const ort_abi::Session* session) {
  return ReadSpecs(api, session,
                   {.word = "output",
                    .get_count = api.SessionGetOutputCount,
                    .get_name = api.SessionGetOutputName,
                    .get_type = api.SessionGetOutputTypeInfo});
}

}  // namespace penstock
