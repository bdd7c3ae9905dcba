#include "session/ort_value.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "session/ort_spec.h"
#include "session/ort_status.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

constexpr int kMapKeys = 0;
constexpr int kMapValues = 1;

// The engine names no output in its errors here, and blames nobody: what it hands out is its own.
Status OutputError(const std::string& name, std::string_view what) {
  return Internal(StrCat("output '", Printable(name), "' ", what));
}

}  // namespace

Status OrtValueReader::Read(ort_abi::Value* value, const ValueSpec& spec, TensorView* views,
                            OwnedTensor* owned) const {
  if (value == nullptr) return OutputError(spec.name, "was not computed");
  if (spec.optional) {
    int has_value = 0;
    RETURN_IF_ERROR(TakeRunStatus(api_, api_.HasValue(value, &has_value)));
    if (has_value == 0) return OutputError(spec.name, "is optional, and this run left it empty");
  }
  switch (spec.form) {
    case ValueForm::kTensor:
      return ReadTensor(value, spec.name, spec.dtype, *views, *owned);
    case ValueForm::kStack:
      return ReadStack(value, spec, *views, *owned);
    case ValueForm::kTable:
      return ReadTable(value, spec, views, owned);
  }
  return {};
}

Status OrtValueReader::ReadTensor(ort_abi::Value* value, const std::string& name, DataType dtype,
                                  TensorView& view, OwnedTensor& owned) const {
  if (dtype != DataType::kBytes) return ReadNumbers(value, name, dtype, view);
  RETURN_IF_ERROR(ReadShape(value, name, dtype, view));
  return ReadStrings(value, view, owned);
}

Status OrtValueReader::ReadShape(const ort_abi::Value* value, const std::string& name,
                                 DataType dtype, TensorView& view) const {
  if (value == nullptr) return OutputError(name, "was not computed");
  ort_abi::TensorInfo* raw = nullptr;
  RETURN_IF_ERROR(TakeRunStatus(api_, api_.GetTensorTypeAndShape(value, &raw)));
  const OrtHandle<ort_abi::TensorInfo> info(raw, api_.ReleaseTensorInfo);
  int element_type = 0;
  RETURN_IF_ERROR(TakeRunStatus(api_, api_.GetTensorElementType(raw, &element_type)));
  view.dtype = DataTypeFromElementType(element_type);
  if (view.dtype != dtype) return OutputError(name, "came back with another element type");

  std::size_t rank = 0;
  RETURN_IF_ERROR(TakeRunStatus(api_, api_.GetDimensionsCount(raw, &rank)));
  if (rank > Shape::kRankMax) return OutputError(name, "came back with too many dimensions");
  std::array<std::int64_t, Shape::kRankMax> dims;
  RETURN_IF_ERROR(TakeRunStatus(api_, api_.GetDimensions(raw, dims.data(), rank)));
  for (std::size_t i = 0; i < rank; ++i) view.shape.Append(dims[i]);

  if (!view.shape.ElementCount().has_value()) {
    return OutputError(name, "came back with an impossible shape");
  }
  return {};
}

Status OrtValueReader::ReadNumbers(ort_abi::Value* value, const std::string& name, DataType dtype,
                                   TensorView& view) const {
  RETURN_IF_ERROR(ReadShape(value, name, dtype, view));
  void* data = nullptr;
  RETURN_IF_ERROR(TakeRunStatus(api_, api_.GetTensorMutableData(value, &data)));
  const auto count = static_cast<std::size_t>(view.shape.ElementCount().value_or(0));
  view.data = {static_cast<const std::byte*>(data), count * DataTypeSize(view.dtype)};
  return {};
}

// The engine writes the strings to the end of the memory; then each moves up to behind its length.
// A string never moves past the place where it stood, so the order of elements is enough.
Status OrtValueReader::ReadStrings(const ort_abi::Value* value, TensorView& view,
                                   OwnedTensor& owned) const {
  const auto count = static_cast<std::size_t>(view.shape.ElementCount().value_or(0));
  std::size_t text_size = 0;
  RETURN_IF_ERROR(TakeRunStatus(api_, api_.GetStringTensorDataLength(value, &text_size)));
  const std::size_t size = text_size + count * kBytesLengthSize;
  owned.offsets.assign(count + 1, size);
  owned.data = std::make_unique_for_overwrite<std::byte[]>(size);
  view.data = {owned.data.get(), size};
  if (count == 0) return {};
  std::byte* const text = owned.data.get() + count * kBytesLengthSize;
  RETURN_IF_ERROR(TakeRunStatus(
      api_, api_.GetStringTensorContent(value, text, text_size, owned.offsets.data(), count)));
  std::byte* to = owned.data.get();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = owned.offsets[i];
    const std::size_t end = i + 1 < count ? owned.offsets[i + 1] : text_size;
    if (end - begin > std::numeric_limits<std::uint32_t>::max()) {
      return Internal("an output holds a string of more bytes than its length can say");
    }
    const auto length = static_cast<std::uint32_t>(end - begin);
    owned.offsets[i] = static_cast<std::size_t>(to - owned.data.get());
    std::memmove(to + kBytesLengthSize, text + begin, length);
    std::memcpy(to, &length, kBytesLengthSize);
    to += kBytesLengthSize + length;
  }
  return {};
}

Status OrtValueReader::CountOf(const ort_abi::Value* value, std::size_t& count) const {
  return TakeRunStatus(api_, api_.GetValueCount(value, &count));
}

Status OrtValueReader::Take(const ort_abi::Value* value, std::size_t index, Value& element) const {
  ort_abi::Value* raw = nullptr;
  RETURN_IF_ERROR(
      TakeRunStatus(api_, api_.GetValue(value, static_cast<int>(index), allocator_, &raw)));
  element = Value(raw, api_.ReleaseValue);
  return {};
}

Status OrtValueReader::TakeTensor(const ort_abi::Value* value, std::size_t index,
                                  const std::string& name, DataType dtype, Part& part) const {
  RETURN_IF_ERROR(Take(value, index, part.value));
  return ReadTensor(part.value.get(), name, dtype, part.view, part.owned);
}

Status OrtValueReader::ReadStack(const ort_abi::Value* value, const ValueSpec& spec,
                                 TensorView& view, OwnedTensor& owned) const {
  std::size_t count = 0;
  RETURN_IF_ERROR(CountOf(value, count));
  std::vector<Part> parts(count);
  for (std::size_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(TakeTensor(value, i, spec.name, spec.dtype, parts[i]));
  }
  return Join(parts, spec.name, spec.dtype, view, owned);
}

Status OrtValueReader::ReadTable(const ort_abi::Value* value, const ValueSpec& spec,
                                 TensorView* views, OwnedTensor* owned) const {
  std::size_t count = 0;
  RETURN_IF_ERROR(CountOf(value, count));
  std::vector<Part> values(count);
  std::vector<Part> keys(count);
  for (std::size_t i = 0; i < count; ++i) {
    Value map{nullptr, nullptr};
    RETURN_IF_ERROR(Take(value, i, map));
    RETURN_IF_ERROR(TakeTensor(map.get(), kMapValues, spec.name, spec.dtype, values[i]));
    RETURN_IF_ERROR(TakeTensor(map.get(), kMapKeys, spec.name, spec.key_dtype, keys[i]));
    // Else column 1 of one row would not mean what it means in the next.
    if (!std::ranges::equal(keys[i].view.data, keys[0].view.data)) {
      return OutputError(spec.name, "came back with maps of different keys, which are no table");
    }
  }
  RETURN_IF_ERROR(Join(values, spec.name, spec.dtype, views[0], owned[0]));
  RETURN_IF_ERROR(Join(keys, spec.name, spec.key_dtype, views[1], owned[1]));
  // Without a row nobody knows how many keys there are, but there are two dimensions.
  for (TensorView* table : {&views[0], &views[1]}) {
    if (count == 0) table->shape.Append(0);
  }
  return {};
}

Status OrtValueReader::Join(const std::vector<Part>& parts, const std::string& name, DataType dtype,
                            TensorView& view, OwnedTensor& owned) {
  view.dtype = dtype;
  view.shape = {static_cast<std::int64_t>(parts.size())};
  std::size_t size = 0;
  for (const Part& part : parts) {
    if (part.view.shape != parts.front().view.shape) {
      return OutputError(
          name, StrCat("came back as a sequence of shapes ", parts.front().view.shape.ToString(),
                       " and ", part.view.shape.ToString(), ", which do not stack"));
    }
    size += part.view.data.size();
  }
  if (!parts.empty()) {
    const Shape& inner = parts.front().view.shape;
    if (inner.rank() == Shape::kRankMax) return OutputError(name, "has too many dimensions");
    for (const std::int64_t dim : inner.dims()) view.shape.Append(dim);
  }
  owned.data = std::make_unique_for_overwrite<std::byte[]>(size);
  view.data = {owned.data.get(), size};
  std::size_t at = 0;
  for (const Part& part : parts) {
    const std::span<const std::byte> data = part.view.data;
    // The last offset of a part is its end, where the next one begins.
    for (std::size_t i = 0; i + 1 < part.owned.offsets.size(); ++i) {
      owned.offsets.push_back(at + part.owned.offsets[i]);
    }
    if (!data.empty()) std::memcpy(owned.data.get() + at, data.data(), data.size());
    at += data.size();
  }
  if (dtype == DataType::kBytes) owned.offsets.push_back(size);
  return {};
}

}  // namespace penstock
