// The steps behind a model, as part of penstock._core; post.cc says more.
#pragma once

#include <pybind11/pybind11.h>

namespace penstock::binding {

void BindPost(pybind11::module_& module);

}  // namespace penstock::binding
