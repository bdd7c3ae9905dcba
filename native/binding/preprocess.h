// The preprocessing part of penstock._core; preprocess.cc says more.
#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

void BindPreprocess(pybind11::module_& module);

}  // namespace penstock::binding
