#include "errors.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

// Made once; a module-level object that lives as long as the interpreter.
PyObject* error_class = nullptr;

}  // namespace

void BindErrors(py::module_& module) {
  error_class = PyErr_NewException("penstock._core.Error", nullptr, nullptr);
  if (error_class == nullptr) throw py::error_already_set();
  module.attr("Error") = py::reinterpret_borrow<py::object>(error_class);
}

void RaiseError(const Error& error) {
  const py::tuple arguments = py::make_tuple(error.code, error.message);
  PyErr_SetObject(error_class, arguments.ptr());
  throw py::error_already_set();
}

py::object MakeInferError(int code, std::string_view message) {
  return py::module_::import("penstock.errors").attr("make_infer_error")(code, message);
}

}  // namespace penstock::binding
