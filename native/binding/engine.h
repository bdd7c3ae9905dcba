// The in-process engine's part of penstock._core; engine.cc says more.
#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

void BindEngine(pybind11::module_& module);

}  // namespace penstock::binding
