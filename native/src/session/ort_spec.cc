// Asks the engine for names, types and dimensions, one tensor at a time.
#include "session/ort_spec.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/strings.h"
#include "session/ort_handle.h"
#include "session/ort_status.h"

namespace penstock {
namespace {

constexpr std::string_view kWhat = "ONNX Runtime does not describe the model";

// Maps from class to score are what scikit-learn's converters write; hence "labels".
constexpr const char* kKeysSuffix = "_labels";

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

using TypeHandle = OrtHandle<ort_abi::TypeInfo>;

// One input or output as the model declares it.
struct Declared {
  ValueSpec value;
  Shape shape;          // of the tensor that is served; -1 where free
  std::string subject;  // "input 'x'", for messages
};

Result<int> ValueTypeOf(const ort_abi::Api& api, const ort_abi::TypeInfo* type) {
  int value_type = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetOnnxTypeFromTypeInfo(type, &value_type), kWhat));
  return value_type;
}

Result<DataType> ServedType(int element_type, const std::string& subject) {
  const DataType dtype = DataTypeFromElementType(element_type);
  if (dtype != DataType::kInvalid) return dtype;
  return FailedPrecondition(StrCat(subject, " is a tensor of ", ElementTypeName(element_type),
                                   "; only numbers, booleans and strings are served"));
}

// Appends the tensor's dimensions to what is there.
Status ReadTensorType(const ort_abi::Api& api, const ort_abi::TypeInfo* type, Declared& declared) {
  const ort_abi::TensorInfo* info = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.CastTypeInfoToTensorInfo(type, &info), kWhat));
  int element_type = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetTensorElementType(info, &element_type), kWhat));
  ASSIGN_OR_RETURN(declared.value.dtype, ServedType(element_type, declared.subject));
  std::size_t rank = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetDimensionsCount(info, &rank), kWhat));
  if (declared.shape.rank() + rank > Shape::kRankMax) {
    return FailedPrecondition(StrCat(declared.subject, " has ", declared.shape.rank() + rank,
                                     " dimensions, at most ", Shape::kRankMax, " are served"));
  }
  std::array<std::int64_t, Shape::kRankMax> dims{};
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetDimensions(info, dims.data(), rank), kWhat));
  for (std::size_t i = 0; i < rank; ++i) declared.shape.Append(dims[i] < 0 ? -1 : dims[i]);
  return {};
}

Status Refuse(const Declared& declared, std::string_view kind) {
  return FailedPrecondition(
      StrCat(declared.subject, " is ", kind, ", which has no one form as a tensor"));
}

// The maps of a sequence become the rows of a table, one column a key.
Status ReadMapType(const ort_abi::Api& api, const ort_abi::TypeInfo* type, Declared& declared) {
  const ort_abi::MapInfo* info = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.CastTypeInfoToMapInfo(type, &info), kWhat));
  int key_type = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetMapKeyType(info, &key_type), kWhat));
  ASSIGN_OR_RETURN(declared.value.key_dtype, ServedType(key_type, declared.subject));
  ort_abi::TypeInfo* raw = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetMapValueType(info, &raw), kWhat));
  const TypeHandle value(raw, api.ReleaseTypeInfo);
  ASSIGN_OR_RETURN(const int value_type, ValueTypeOf(api, raw));
  Declared scalar{.value = {}, .shape = {}, .subject = declared.subject};
  if (value_type == ort_abi::kOnnxTypeTensor) RETURN_IF_ERROR(ReadTensorType(api, raw, scalar));
  if (value_type != ort_abi::kOnnxTypeTensor || scalar.shape.rank() > 0) {
    return Refuse(declared, "a sequence of maps whose values are no single numbers or strings");
  }
  declared.value.dtype = scalar.value.dtype;
  declared.value.form = ValueForm::kTable;
  declared.shape = {-1, -1};
  return {};
}

Status ReadSequenceType(const ort_abi::Api& api, const ort_abi::TypeInfo* type,
                        Declared& declared) {
  const ort_abi::SequenceInfo* info = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.CastTypeInfoToSequenceInfo(type, &info), kWhat));
  ort_abi::TypeInfo* raw = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetSequenceElementType(info, &raw), kWhat));
  const TypeHandle element(raw, api.ReleaseTypeInfo);
  ASSIGN_OR_RETURN(const int value_type, ValueTypeOf(api, raw));
  if (value_type == ort_abi::kOnnxTypeMap) return ReadMapType(api, raw, declared);
  if (value_type != ort_abi::kOnnxTypeTensor) {
    return Refuse(declared, "a sequence of something else than tensors or maps");
  }
  declared.value.form = ValueForm::kStack;
  declared.shape = {-1};
  return ReadTensorType(api, raw, declared);
}

Status ReadType(const ort_abi::Api& api, const ort_abi::TypeInfo* type, Declared& declared) {
  ASSIGN_OR_RETURN(const int value_type, ValueTypeOf(api, type));
  switch (value_type) {
    case ort_abi::kOnnxTypeTensor:
      return ReadTensorType(api, type, declared);
    case ort_abi::kOnnxTypeSequence:
      return ReadSequenceType(api, type, declared);
    case ort_abi::kOnnxTypeOptional:
      break;
    default:
      return Refuse(declared, ValueTypeName(value_type));
  }
  if (declared.value.optional) return Refuse(declared, "an optional in an optional");
  declared.value.optional = true;
  const ort_abi::OptionalInfo* info = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.CastTypeInfoToOptionalInfo(type, &info), kWhat));
  ort_abi::TypeInfo* raw = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetOptionalContainedTypeInfo(info, &raw), kWhat));
  const TypeHandle contained(raw, api.ReleaseTypeInfo);
  return ReadType(api, raw, declared);
}

Result<std::vector<Declared>> ReadSide(const ort_abi::Api& api, const ort_abi::Session* session,
                                       const Side& side) {
  std::size_t count = 0;
  RETURN_IF_ERROR(TakeSetupStatus(api, side.get_count(session, &count), kWhat));
  std::vector<Declared> all(count);
  for (std::size_t i = 0; i < count; ++i) {
    Declared& declared = all[i];
    RETURN_IF_ERROR(ReadName(api, session, side, i, declared.value.name));
    declared.subject = StrCat(side.word, " '", Printable(declared.value.name), "'");
    ort_abi::TypeInfo* raw = nullptr;
    RETURN_IF_ERROR(TakeSetupStatus(api, side.get_type(session, i, &raw), kWhat));
    const TypeHandle type(raw, api.ReleaseTypeInfo);
    RETURN_IF_ERROR(ReadType(api, raw, declared));
  }
  return all;
}

TensorSpec ServedSpec(std::string name, DataType dtype, const Shape& shape) {
  return {.name = std::move(name),
          .dtype = dtype,
          .shape = shape,
          .first_dim_symbolic = shape.rank() > 0 && shape[0] < 0};
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
  ASSIGN_OR_RETURN(const std::vector<Declared> all,
                   ReadSide(api, session,
                            {.word = "input",
                             .get_count = api.SessionGetInputCount,
                             .get_name = api.SessionGetInputName,
                             .get_type = api.SessionGetInputTypeInfo}));
  std::vector<TensorSpec> specs;
  for (const Declared& declared : all) {
    if (declared.value.form != ValueForm::kTensor) {
      return FailedPrecondition(
          StrCat(declared.subject, " is a sequence; inputs are served where they are tensors"));
    }
    specs.push_back(ServedSpec(declared.value.name, declared.value.dtype, declared.shape));
  }
  return specs;
}

Result<std::vector<ValueSpec>> ReadOutputSpecs(const ort_abi::Api& api,
                                               const ort_abi::Session* session,
                                               std::vector<TensorSpec>& served) {
  ASSIGN_OR_RETURN(const std::vector<Declared> all,
                   ReadSide(api, session,
                            {.word = "output",
                             .get_count = api.SessionGetOutputCount,
                             .get_name = api.SessionGetOutputName,
                             .get_type = api.SessionGetOutputTypeInfo}));
  std::vector<ValueSpec> values;
  for (const Declared& declared : all) {
    const ValueSpec& value = values.emplace_back(declared.value);
    served.push_back(ServedSpec(value.name, value.dtype, declared.shape));
    if (value.form != ValueForm::kTable) continue;
    std::string keys = value.name + kKeysSuffix;
    const bool taken = std::ranges::any_of(
        all, [&keys](const Declared& other) { return other.value.name == keys; });
    if (taken) {
      return FailedPrecondition(StrCat(declared.subject,
                                       " is a sequence of maps, whose keys would ",
                                       "be served as '", Printable(keys), "', which is taken"));
    }
    served.push_back(ServedSpec(std::move(keys), value.key_dtype, declared.shape));
  }
  return values;
}

}  // namespace penstock
