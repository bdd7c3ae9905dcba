// How a failure of the core becomes a Python exception: in this file, nowhere else. Needs the GIL.
#pragma once

#include <pybind11/pybind11.h>

#include <string_view>

#include <penstock/error.h>

namespace penstock::binding {

// Makes penstock._core.Error, which RaiseError raises with (code, message).
void BindErrors(pybind11::module_& module);
[[noreturn]] void RaiseError(const Error& error);

// The exception of penstock.errors that stands for a canonical code, such as DeadlineError.
pybind11::object MakeInferError(int code, std::string_view message);

}  // namespace penstock::binding
