#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

void BindTokenizer(pybind11::module_& module);

}  // namespace penstock::binding
