// One run: wrap the caller's bytes, call the engine, look at what came back. About 0.3 us beside
// the engine's own work, so nothing here allocates but the object that is returned.
#include "session/ort_session.h"

#include <algorithm>
#include <array>
#include <cstring>
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

class OrtOutputs final : public SessionOutputs {
 public:
  OrtOutputs(const ort_abi::Api& api, std::size_t value_count, std::size_t tensor_count)
      : values_(api, value_count), views_(tensor_count) {}

  std::span<const TensorView> tensors() const override { return {views_.data(), views_.size()}; }
  std::span<const std::size_t> element_offsets(std::size_t index) const override {
    return owned_[index].offsets;
  }
  ort_abi::Value** values() { return values_.data(); }

  // Fill the views from the values that Run left: where every value is a tensor of numbers, and for
  // all other models.
  Status ReadNumbers(const OrtValueReader& reader, std::span<const TensorSpec> specs);
  Status ReadAll(const OrtValueReader& reader, std::span<const ValueSpec> specs);

 private:
  Values<kOutputsInline> values_;
  SmallArray<TensorView, kOutputsInline> views_;
  std::vector<OwnedTensor> owned_;  // by tensor; empty where each is the engine's own
};

Status OrtOutputs::ReadNumbers(const OrtValueReader& reader, std::span<const TensorSpec> specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    RETURN_IF_ERROR(reader.ReadNumbers(values_[i], specs[i].name, specs[i].dtype, views_[i]));
  }
  return {};
}

Status OrtOutputs::ReadAll(const OrtValueReader& reader, std::span<const ValueSpec> specs) {
  owned_.resize(views_.size());
  std::size_t tensor = 0;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    RETURN_IF_ERROR(reader.Read(values_[i], specs[i], &views_[tensor], &owned_[tensor]));
    tensor += specs[i].tensor_count();
  }
  return {};
}

class OrtRunStop final : public RunStop {
 public:
  OrtRunStop(const ort_abi::Api& api, ort_abi::RunOptions* options)
      : api_(api), options_(options, api.ReleaseRunOptions) {}

  // Both only set a flag; should that fail, the run ends by itself.
  void Terminate() override { Expect(api_.RunOptionsSetTerminate(options_.get())); }
  void Reset() override { Expect(api_.RunOptionsUnsetTerminate(options_.get())); }
  const ort_abi::RunOptions* options() const { return options_.get(); }

 private:
  void Expect(ort_abi::Status* raw) {
    const Status status = TakeRunStatus(api_, raw);
    DCHECK(status.ok());
    static_cast<void>(status);
  }

  const ort_abi::Api& api_;
  const OrtHandle<ort_abi::RunOptions> options_;
};

template <typename Spec>
std::vector<const char*> NamesOf(const std::vector<Spec>& specs) {
  std::vector<const char*> names;
  names.reserve(specs.size());
  for (const Spec& spec : specs) names.push_back(spec.name.c_str());
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
  ASSIGN_OR_RETURN(values_, ReadOutputSpecs(api_, session_.get(), outputs_));
  input_names_ = NamesOf(inputs_);
  output_names_ = NamesOf(values_);
  only_numbers_ = std::ranges::all_of(values_, [](const ValueSpec& spec) {
    return spec.form == ValueForm::kTensor && !spec.optional && spec.dtype != DataType::kBytes;
  });
  return {};
}

Result<std::unique_ptr<SessionOutputs>> OrtSession::Run(std::span<const TensorView> inputs,
                                                        RunStop* stop) {
  CHECK_EQ(inputs.size(), inputs_.size());
  // NewRunStop made it, or that of another session of this engine.
  const ort_abi::RunOptions* const options =
      stop == nullptr ? run_options_.get() : static_cast<OrtRunStop*>(stop)->options();
  Values<kInputsInline> values(api_, inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    RETURN_IF_ERROR(CreateInput(inputs[i], &values[i]));
  }
  std::unique_ptr<OrtOutputs> outputs =
      std::make_unique<OrtOutputs>(api_, values_.size(), outputs_.size());
  RETURN_IF_ERROR(TakeRunStatus(
      api_, api_.Run(session_.get(), options, input_names_.data(), values.data(), inputs.size(),
                     output_names_.data(), values_.size(), outputs->values())));
  const OrtValueReader reader(api_, allocator_);
  RETURN_IF_ERROR(only_numbers_ ? outputs->ReadNumbers(reader, outputs_)
                                : outputs->ReadAll(reader, values_));
  return std::unique_ptr<SessionOutputs>(std::move(outputs));
}

std::unique_ptr<RunStop> OrtSession::NewRunStop() {
  ort_abi::RunOptions* options = nullptr;
  if (!TakeRunStatus(api_, api_.CreateRunOptions(&options)).ok()) return nullptr;
  return std::make_unique<OrtRunStop>(api_, options);
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
