// A value of the engine as a tensor that the server knows: looked at in place where it is one, else
// put together. A sequence of equal tensors becomes their stack, a sequence of maps a table of
// values and one of keys. Any thread, while a model runs.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "session/ort_abi.h"
#include "session/ort_handle.h"
#include "tensor/tensor.h"

namespace penstock {

// Memory behind a view that is not the engine's own.
struct OwnedTensor {
  std::unique_ptr<std::byte[]> data;
  // Of BYTES: see SessionOutputs::element_offsets.
  std::vector<std::size_t> offsets;
};

enum class ValueForm {
  kTensor,
  kStack,  // a sequence of tensors, served as one with one more dimension in front
  kTable,  // a sequence of maps, served as two [rows, keys] tensors: values, then keys
};

// What a model declares for one output, as the engine has it.
struct ValueSpec {
  std::string name;
  ValueForm form = ValueForm::kTensor;
  DataType dtype = DataType::kInvalid;  // of the elements; of a map's values
  DataType key_dtype = DataType::kInvalid;
  bool optional = false;

  std::size_t tensor_count() const { return form == ValueForm::kTable ? 2 : 1; }
};

class OrtValueReader final {
 public:
  // `allocator` is the library's; both outlive the reader.
  OrtValueReader(const ort_abi::Api& api, ort_abi::Allocator* allocator)
      : api_(api), allocator_(allocator) {}

  // Fills spec.tensor_count() views, and what they need in `owned`; an empty optional is an error.
  // INTERNAL, naming the output, where the value is not what the model declares, or its parts do
  // not fit together. The engine's own memory lives as long as `value`.
  Status Read(ort_abi::Value* value, const ValueSpec& spec, TensorView* views,
              OwnedTensor* owned) const;

  // The same for a tensor of numbers, by far the most frequent.
  Status ReadNumbers(ort_abi::Value* value, const std::string& name, DataType dtype,
                     TensorView& view) const;

 private:
  using Value = OrtHandle<ort_abi::Value>;

  struct Part {
    Value value{nullptr, nullptr};
    TensorView view;
    OwnedTensor owned;
  };

  Status ReadShape(const ort_abi::Value* value, const std::string& name, DataType dtype,
                   TensorView& view) const;
  // `owned` is only used for BYTES.
  Status ReadTensor(ort_abi::Value* value, const std::string& name, DataType dtype,
                    TensorView& view, OwnedTensor& owned) const;
  Status ReadStrings(const ort_abi::Value* value, TensorView& view, OwnedTensor& owned) const;
  Status ReadStack(const ort_abi::Value* value, const ValueSpec& spec, TensorView& view,
                   OwnedTensor& owned) const;
  Status ReadTable(const ort_abi::Value* value, const ValueSpec& spec, TensorView* views,
                   OwnedTensor* owned) const;
  Status CountOf(const ort_abi::Value* value, std::size_t& count) const;
  // Element `index` of a sequence; of a map, 0 for its keys and 1 for its values.
  Status Take(const ort_abi::Value* value, std::size_t index, Value& element) const;
  Status TakeTensor(const ort_abi::Value* value, std::size_t index, const std::string& name,
                    DataType dtype, Part& part) const;
  static Status Join(const std::vector<Part>& parts, const std::string& name, DataType dtype,
                     TensorView& view, OwnedTensor& owned);

  const ort_abi::Api& api_;
  ort_abi::Allocator* const allocator_;
};

}  // namespace penstock
