// The tables' part of penstock._core; columns.cc says more.
#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

void BindColumns(pybind11::module_& module);

}  // namespace penstock::binding
