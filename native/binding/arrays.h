// NumPy arrays as the engine's tensors and back, without a copy where the layout allows. Needs the
// GIL. Reads and makes arrays through pybind11's table of NumPy's C functions: py::array costs
// several allocations each, which a call of some microseconds would feel.
#pragma once

#include <pybind11/pybind11.h>

#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include <penstock/engine.h>

namespace penstock::binding {

// One input: the tensor views `array`, which is the caller's own or a copy that could be viewed.
// `declared` is the model's datatype for it, which tells BF16 held as uint16 from UINT16; it is
// only asked for where that matters. TypeError for what no tensor can be made of, ValueError for an
// object that is no string.
struct InputArray {
  pybind11::object array;
  EngineTensor tensor;
};
InputArray ViewInput(std::string_view name, pybind11::handle value,
                     const std::function<std::string_view()>& declared);

// Makes the dicts that answers are. One for each engine; keeps names and dtypes between calls.
class AnswerMaker final {
 public:
  // Arrays are read-only views that keep `memory` and, beneath it, `engine` alive; BYTES are object
  // arrays of bytes, BF16 are float32.
  pybind11::dict Make(std::span<const EngineTensor> results, std::shared_ptr<const void> memory,
                      std::shared_ptr<const void> engine);
  // The same arrays in their order; names are not looked at.
  pybind11::list MakeList(std::span<const EngineTensor> results,
                          std::shared_ptr<const void> memory);

 private:
  // `kept` holds what its memory needs.
  pybind11::object MakeArray(const EngineTensor& result, const pybind11::capsule& kept);
  pybind11::object Name(std::string_view name);
  pybind11::object Descriptor(std::string_view datatype);

  // By address: both name what lives as long as the engine.
  std::unordered_map<const void*, pybind11::object> names_;
  std::unordered_map<const void*, pybind11::object> descriptors_;
};

}  // namespace penstock::binding
