// Steps of Python's own, as part of penstock._core; python_steps.cc says more.
#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

void BindPythonSteps(pybind11::module_& module);

}  // namespace penstock::binding
