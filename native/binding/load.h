// The load generator's part of penstock._core; load.cc says more.
#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

// `error_class` is raised for options that cannot be; it lives as long as the interpreter.
void BindLoad(pybind11::module_& module, PyObject* error_class);

}  // namespace penstock::binding
