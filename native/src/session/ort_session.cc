// One run: wrap the caller's bytes, call the engine, look at what came back. About 0.3 us beside
// the engine's own work, so nothing here allocates but the object that is returned.
#include "session/ort_session.h"

#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/strings.h"
#include "session/ort_spec.h"
#include "session/ort_status.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

// `count` zero-initialised elements, inline up to kInline. Neither copied nor resized.
template <typename T, std::size_t kInline>
class SmallArray final {
 public:
  explicit SmallArray(std::size_t count) : count_(count) {
    if (count > kInline) overflow_.resize(count);
  }
  SmallArray(const SmallArray&) = delete;
  SmallArray& operator=(const SmallArray&) = delete;

  T* data() { return count_ > kInline ? overflow_.data() : inline_.data(); }
  const T* data() const { return count_ > kInline ? overflow_.data() : inline_.data(); }
  std::size_t size() const { return count_; }
  T& operator[](std::size_t i) { return data()[i]; }

 private:
  const std::size_t count_;
  std::array<T, kInline> inline_{};
  std::vector<T> overflow_;
};

// Engine values that are released together.
template <std::size_t kInline>
class Values final {
 public:
  Values(const ort_abi::Api& api, std::size_t count) : api_(api), values_(count) {}
  ~Values() {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (values_[i] != nullptr) api_.ReleaseValue(values_[i]);
    }
  }
  ort_abi::Value** data() { return values_.data(); }
  ort_abi::Value*& operator[](std::size_t i) { return values_[i]; }

 private:
  const ort_abi::Api& api_;
  SmallArray<ort_abi::Value*, kInline> values_;
};

// Most models have fewer; those with more pay one allocation for each array.
constexpr std::size_t kInputsInline = 16;
constexpr std::size_t kOutputsInline = 2;

// A string tensor of the engine as the server wants it.
struct Strings {
  std::unique_ptr<std::byte[]> data;
  std::vector<std::size_t> offsets;
};

class OrtOutputs final : public SessionOutputs {
 public:
  OrtOutputs(const ort_abi::Api& api, std::size_t count) : values_(api, count), views_(count) {}

  std::span<const TensorView> tensors() const override { return {views_.data(), views_.size()}; }
  std::span<const std::size_t> element_offsets(std::size_t index) const override {
    return strings_[index].offsets;
  }
  ort_abi::Value** values() { return values_.data(); }

  // Fills the views from the values that Run left.
  Status ReadViews(const ort_abi::Api& api, std::span<const TensorSpec> specs);

 private:
  Values<kOutputsInline> values_;
  SmallArray<TensorView, kOutputsInline> views_;
  std::vector<Strings> strings_;  // by output; empty where the model has none of them
};

// The engine names no output in its errors here, and blames nobody: what it hands out is its own.
Status OutputError(const TensorSpec& spec, std::string_view what) {
  return Internal(StrCat("output '", Printable(spec.name), "' ", what));
}

Status ReadShape(const ort_abi::Api& api, const ort_abi::Value* value, const TensorSpec& spec,
                 TensorView& view) {
  if (value == nullptr) return OutputError(spec, "was not computed");
  ort_abi::TensorInfo* raw = nullptr;
  RETURN_IF_ERROR(TakeRunStatus(api, api.GetTensorTypeAndShape(value, &raw)));
  const OrtHandle<ort_abi::TensorInfo> info(raw, api.ReleaseTensorInfo);
  int element_type = 0;
  RETURN_IF_ERROR(TakeRunStatus(api, api.GetTensorElementType(raw, &element_type)));
  view.dtype = DataTypeFromElementType(element_type);
  if (view.dtype != spec.dtype) return OutputError(spec, "came back with another element type");

  std::size_t rank = 0;
  RETURN_IF_ERROR(TakeRunStatus(api, api.GetDimensionsCount(raw, &rank)));
  if (rank > Shape::kRankMax) return OutputError(spec, "came back with too many dimensions");
  std::array<std::int64_t, Shape::kRankMax> dims;
  RETURN_IF_ERROR(TakeRunStatus(api, api.GetDimensions(raw, dims.data(), rank)));
  for (std::size_t i = 0; i < rank; ++i) view.shape.Append(dims[i]);

  if (!view.shape.ElementCount().has_value()) {
    return OutputError(spec, "came back with an impossible shape");
  }
  return {};
}

Status ReadNumbers(const ort_abi::Api& api, ort_abi::Value* value, TensorView& view) {
  void* data = nullptr;
  RETURN_IF_ERROR(TakeRunStatus(api, api.GetTensorMutableData(value, &data)));
  const auto count = static_cast<std::size_t>(view.shape.ElementCount().value_or(0));
  view.data = {static_cast<const std::byte*>(data), count * DataTypeSize(view.dtype)};
  return {};
}

// The engine writes the strings to the end of the memory; then each moves up to behind its length.
// A string never moves past the place where it stood, so the order of elements is enough.
Status ReadStrings(const ort_abi::Api& api, const ort_abi::Value* value, TensorView& view,
                   Strings& strings) {
  const auto count = static_cast<std::size_t>(view.shape.ElementCount().value_or(0));
  std::size_t text_size = 0;
  RETURN_IF_ERROR(TakeRunStatus(api, api.GetStringTensorDataLength(value, &text_size)));
  const std::size_t size = text_size + count * kBytesLengthSize;
  strings.offsets.assign(count + 1, size);
  strings.data = std::make_unique_for_overwrite<std::byte[]>(size);
  view.data = {strings.data.get(), size};
  if (count == 0) return {};
  std::byte* const text = strings.data.get() + count * kBytesLengthSize;
  RETURN_IF_ERROR(TakeRunStatus(
      api, api.GetStringTensorContent(value, text, text_size, strings.offsets.data(), count)));
  std::byte* to = strings.data.get();
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t begin = strings.offsets[i];
    const std::size_t end = i + 1 < count ? strings.offsets[i + 1] : text_size;
    if (end - begin > std::numeric_limits<std::uint32_t>::max()) {
      return Internal("an output holds a string of more bytes than its length can say");
    }
    const auto length = static_cast<std::uint32_t>(end - begin);
    strings.offsets[i] = static_cast<std::size_t>(to - strings.data.get());
    std::memmove(to + kBytesLengthSize, text + begin, length);
    std::memcpy(to, &length, kBytesLengthSize);
    to += kBytesLengthSize + length;
  }
  return {};
}

Status OrtOutputs::ReadViews(const ort_abi::Api& api, std::span<const TensorSpec> specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    RETURN_IF_ERROR(ReadShape(api, values_[i], specs[i], views_[i]));
    if (views_[i].dtype != DataType::kBytes) {
      RETURN_IF_ERROR(ReadNumbers(api, values_[i], views_[i]));
    } else {
      strings_.resize(specs.size());
      RETURN_IF_ERROR(ReadStrings(api, values_[i], views_[i], strings_[i]));
    }
  }
  return {};
}

std::vector<const char*> NamesOf(const std::vector<TensorSpec>& specs) {
  std::vector<const char*> names;
  names.reserve(specs.size());
  for (const TensorSpec& spec : specs) names.push_back(spec.name.c_str());
  return names;
}

}  // namespace

Result<std::unique_ptr<OrtSession>> OrtSession::Create(const ort_abi::Api& api,
                                                       const ort_abi::MemoryInfo* cpu_memory,
                                                       OrtHandle<ort_abi::Session> session,
                                                       std::string data_dependent_operator) {
  std::unique_ptr<OrtSession> made(
      new OrtSession(api, cpu_memory, std::move(session), std::move(data_dependent_operator)));
  RETURN_IF_ERROR(made->ReadSpecs());
  ort_abi::RunOptions* run_options = nullptr;
  RETURN_IF_ERROR(TakeSetupStatus(api, api.CreateRunOptions(&run_options), "cannot prepare runs"));
  RETURN_IF_ERROR(TakeSetupStatus(api, api.GetAllocatorWithDefaultOptions(&made->allocator_),
                                  "cannot prepare runs"));
  made->run_options_ = OrtHandle<ort_abi::RunOptions>(run_options, api.ReleaseRunOptions);
  return made;
}

Status OrtSession::ReadSpecs() {
  ASSIGN_OR_RETURN(inputs_, ReadInputSpecs(api_, session_.get()));
  ASSIGN_OR_RETURN(outputs_, ReadOutputSpecs(api_, session_.get()));
  input_names_ = NamesOf(inputs_);
  output_names_ = NamesOf(outputs_);
  return {};
}

Result<std::unique_ptr<SessionOutputs>> OrtSession::Run(std::span<const TensorView> inputs) {
  CHECK_EQ(inputs.size(), inputs_.size());
  Values<kInputsInline> values(api_, inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    RETURN_IF_ERROR(CreateInput(inputs[i], &values[i]));
  }
  std::unique_ptr<OrtOutputs> outputs = std::make_unique<OrtOutputs>(api_, outputs_.size());
  RETURN_IF_ERROR(TakeRunStatus(
      api_, api_.Run(session_.get(), run_options_.get(), input_names_.data(), values.data(),
                     inputs.size(), output_names_.data(), outputs_.size(), outputs->values())));
  RETURN_IF_ERROR(outputs->ReadViews(api_, outputs_));
  return std::unique_ptr<SessionOutputs>(std::move(outputs));
}

void OrtSession::Terminate() {
  // It only sets a flag; should that fail, the runs end by themselves.
  const Status status = TakeRunStatus(api_, api_.RunOptionsSetTerminate(run_options_.get()));
  DCHECK(status.ok());
  static_cast<void>(status);
}

Status OrtSession::CreateInput(const TensorView& view, ort_abi::Value** value) const {
  if (view.dtype == DataType::kBytes) return CreateStrings(view, value);
  // The engine wants an address even where there is nothing to read.
  static constexpr std::byte kNothing{};
  const std::byte* data = view.data.empty() ? &kNothing : view.data.data();
  // The engine takes a mutable pointer for values that are also written; an input is only read.
  return TakeRunStatus(
      api_, api_.CreateTensorWithData(cpu_memory_, const_cast<std::byte*>(data), view.data.size(),
                                      view.shape.dims().data(), view.shape.rank(),
                                      ElementTypeFromDataType(view.dtype), value));
}

Status OrtSession::CreateStrings(const TensorView& view, ort_abi::Value** value) const {
  RETURN_IF_ERROR(
      TakeRunStatus(api_, api_.CreateTensor(allocator_, view.shape.dims().data(), view.shape.rank(),
                                            ort_abi::kElementString, value)));
  BytesReader reader(view.data);
  for (std::size_t i = 0; !reader.done(); ++i) {
    const std::span<const std::byte> element = reader.Next();
    char* buffer = nullptr;
    RETURN_IF_ERROR(TakeRunStatus(
        api_, api_.GetResizedStringTensorElementBuffer(*value, i, element.size(), &buffer)));
    if (!element.empty()) std::memcpy(buffer, element.data(), element.size());
  }
  return {};
}

}  // namespace penstock
