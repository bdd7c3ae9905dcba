// The load generator's part of penstock._core; load.cc says more.
#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

void BindLoad(pybind11::module_& module);

}  // namespace penstock::binding
