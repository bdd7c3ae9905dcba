#include "arrays.h"

#include <pybind11/numpy.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace penstock::binding {
namespace {

namespace py = pybind11;
using py::detail::array_proxy;
using py::detail::npy_api;

// NumPy's dimensions are read and written as the engine's.
static_assert(sizeof(py::ssize_t) == sizeof(std::int64_t) && std::is_signed_v<py::ssize_t>);

// NumPy's type numbers (numpy/ndarraytypes.h), which its ABI fixes, by position.
constexpr std::array<std::string_view, 24> kDatatypes = {
    "BOOL",   "INT8",  "UINT8",  "INT16", "UINT16", "INT32", "UINT32", "INT64",
    "UINT64", "INT64", "UINT64", "FP32",  "FP64",   "",      "",       "",
    "",       "BYTES", "BYTES",  "BYTES", "",       "",      "",       "FP16"};
static_assert(sizeof(long) == 8);

constexpr std::string_view kBf16 = "BF16";

bool IsArray(py::handle value) {
  return npy_api::get().PyArray_Check_(value.ptr());
}

// "" where the protocol has no such type.
std::string_view DatatypeOf(const py::dtype& dtype,
                            const std::function<std::string_view()>& declared) {
  const int number = dtype.num();
  if (number == npy_api::NPY_USHORT_ && declared() == kBf16) return kBf16;
  if (number >= 0 && static_cast<std::size_t>(number) < kDatatypes.size()) {
    return kDatatypes[static_cast<std::size_t>(number)];
  }
  // Types that packages add, such as ml_dtypes.
  return py::str(dtype.attr("name")).cast<std::string>() == "bfloat16" ? kBf16 : "";
}

[[noreturn]] void RefuseInput(std::string_view name, const std::string& what) {
  throw py::type_error("input '" + std::string(name) + "': " + what);
}

// A C-contiguous array in the machine's byte order: `value` itself where it is one.
py::object Viewable(py::handle value) {
  py::object array = py::module_::import("numpy").attr("asarray")(value, py::arg("order") = "C");
  const char order = py::reinterpret_borrow<py::array>(array).dtype().byteorder();
  if (order != '>') return array;
  return array.attr("astype")(array.attr("dtype").attr("newbyteorder")("="));
}

bool IsViewable(py::handle value) {
  if (!IsArray(value)) return false;
  const py::array array = py::reinterpret_borrow<py::array>(value);
  return (array.flags() & npy_api::NPY_ARRAY_C_CONTIGUOUS_) != 0 &&
         array.dtype().byteorder() != '>';
}

// What memory and engine an array needs, as the base object that NumPy lets go with the array.
struct Kept {
  // In this order: memory is freed before the engine that it came from.
  std::shared_ptr<const void> engine;
  std::shared_ptr<const void> memory;
};

py::capsule Keep(Kept kept) {
  return {new Kept(std::move(kept)), [](void* held) { delete static_cast<Kept*>(held); }};
}

py::object BytesArray(const EngineTensor& tensor) {
  const py::object unpack = py::module_::import("penstock._strings").attr("unpack");
  const py::memoryview data =
      py::memoryview::from_memory(tensor.data.data(), static_cast<py::ssize_t>(tensor.data.size()));
  py::tuple shape(tensor.shape.size());
  std::int64_t count = 1;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    shape[i] = tensor.shape[i];
    count *= tensor.shape[i];
  }
  return unpack(data, count).attr("reshape")(shape);
}

// BF16 is the upper half of FP32. A copy, since NumPy has no such type, with the flags that views
// have.
py::object WidenedArray(const EngineTensor& tensor, const py::object& fp32) {
  const npy_api& api = npy_api::get();
  const py::object array = py::reinterpret_steal<py::object>(api.PyArray_NewFromDescr_(
      api.PyArray_Type_, py::object(fp32).release().ptr(), static_cast<int>(tensor.shape.size()),
      reinterpret_cast<const Py_intptr_t*>(tensor.shape.data()), nullptr, nullptr, /*flags=*/0,
      nullptr));
  if (!array) throw py::error_already_set();
  auto* to = static_cast<std::uint32_t*>(py::reinterpret_borrow<py::array>(array).mutable_data());
  for (std::size_t at = 0; at + 1 < tensor.data.size(); at += 2) {
    std::uint16_t bits;
    std::memcpy(&bits, tensor.data.data() + at, sizeof(bits));
    *to++ = std::uint32_t{bits} << 16;
  }
  array.attr("setflags")(py::arg("write") = false);
  return array;
}

py::bytes PackedStrings(std::string_view name, const py::array& array) {
  const py::object pack = py::module_::import("penstock._strings").attr("pack");
  try {
    return pack(array.attr("reshape")(-1).attr("tolist")());
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_ValueError)) throw;
    throw py::value_error("input '" + std::string(name) +
                          "': " + py::str(error.value()).cast<std::string>());
  }
}

}  // namespace

InputArray ViewInput(std::string_view name, py::handle value,
                     const std::function<std::string_view()>& declared) {
  InputArray input;
  input.array = IsViewable(value) ? py::reinterpret_borrow<py::object>(value) : Viewable(value);
  const py::array array = py::reinterpret_borrow<py::array>(input.array);
  EngineTensor& tensor = input.tensor;
  tensor.name = name;
  tensor.datatype = DatatypeOf(array.dtype(), declared);
  if (tensor.datatype.empty()) {
    RefuseInput(name, "no datatype of the protocol holds NumPy's " +
                          py::str(array.dtype().attr("name")).cast<std::string>());
  }
  tensor.shape = {reinterpret_cast<const std::int64_t*>(array.shape()),
                  static_cast<std::size_t>(array.ndim())};
  if (tensor.datatype != "BYTES") {
    tensor.data = {static_cast<const std::byte*>(array.data()),
                   static_cast<std::size_t>(array.nbytes())};
    return input;
  }
  const py::bytes encoded = PackedStrings(name, array);
  const std::string_view bytes = encoded;
  tensor.data = std::as_bytes(std::span(bytes));
  // The shape is the array's, the bytes are not: both stay.
  input.array = py::make_tuple(input.array, encoded);
  return input;
}

py::dict AnswerMaker::Make(std::span<const EngineTensor> results,
                           std::shared_ptr<const void> memory, std::shared_ptr<const void> engine) {
  py::dict answer;
  const py::capsule kept = Keep({.engine = std::move(engine), .memory = std::move(memory)});
  for (const EngineTensor& result : results) {
    const py::object array = MakeArray(result, kept);
    if (PyDict_SetItem(answer.ptr(), Name(result.name).ptr(), array.ptr()) != 0) {
      throw py::error_already_set();
    }
  }
  return answer;
}

py::list AnswerMaker::MakeList(std::span<const EngineTensor> results,
                               std::shared_ptr<const void> memory) {
  py::list arrays;
  const py::capsule kept = Keep({.engine = nullptr, .memory = std::move(memory)});
  for (const EngineTensor& result : results) arrays.append(MakeArray(result, kept));
  return arrays;
}

py::object AnswerMaker::MakeArray(const EngineTensor& result, const py::capsule& kept) {
  if (result.datatype == "BYTES") return BytesArray(result);
  if (result.datatype == kBf16) return WidenedArray(result, Descriptor("FP32"));
  const npy_api& api = npy_api::get();
  py::object array = py::reinterpret_steal<py::object>(api.PyArray_NewFromDescr_(
      api.PyArray_Type_, Descriptor(result.datatype).release().ptr(),
      static_cast<int>(result.shape.size()),
      reinterpret_cast<const Py_intptr_t*>(result.shape.data()), nullptr,
      const_cast<std::byte*>(result.data.data()),  // read-only by the flags
      /*flags=*/npy_api::NPY_ARRAY_C_CONTIGUOUS_ | npy_api::NPY_ARRAY_ALIGNED_, nullptr));
  if (!array) throw py::error_already_set();
  if (api.PyArray_SetBaseObject_(array.ptr(), kept.inc_ref().ptr()) != 0) {
    throw py::error_already_set();
  }
  return array;
}

py::object AnswerMaker::Name(std::string_view name) {
  py::object& known = names_[name.data()];
  if (!known) known = py::str(name.data(), name.size());
  return known;
}

py::object AnswerMaker::Descriptor(std::string_view datatype) {
  py::object& known = descriptors_[datatype.data()];
  if (!known) known = py::module_::import("penstock._dtypes").attr("dtype_of")(datatype);
  return known;
}

}  // namespace penstock::binding
