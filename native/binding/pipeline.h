// Chains of steps for Python. Each family of steps binds a function that returns a TransformHandle.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>

#include <penstock/transform.h>

namespace penstock::binding {

// penstock._core.Transform: a transform as Python holds it, without a look into it.
struct TransformHandle {
  std::shared_ptr<const Transform> transform;
};

void BindPipeline(pybind11::module_& module);
// Raises penstock._core.StepError with (index of the step, message).
[[noreturn]] void RaiseStepError(const StepError& error);

}  // namespace penstock::binding
