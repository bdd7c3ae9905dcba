// penstock._core.Transform, which is opaque, the chains made of it and PipelineRunner. Any Python
// thread may run it; the GIL is released while it works. Knows only native/include/penstock.
#include "pipeline.h"

#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrays.h"
#include "errors.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

// Owns a PipelineRunner for Python.
class RunnerHandle final {
 public:
  explicit RunnerHandle(std::vector<PipelineChain> chains) {
    Error error;
    runner_ = PipelineRunner::Create(std::move(chains), &error);
    if (runner_ == nullptr) RaiseError(error);
  }

  py::dict Run(const py::dict& inputs) {
    std::vector<py::object> held;
    std::vector<EngineTensor> tensors;
    for (const auto& [key, value] : inputs) {
      if (!py::isinstance<py::str>(key)) throw py::type_error("an input's name must be a str");
      py::ssize_t size = 0;
      const char* const name = PyUnicode_AsUTF8AndSize(key.ptr(), &size);
      if (name == nullptr) throw py::error_already_set();
      InputArray input = ViewInput({name, static_cast<std::size_t>(size)}, value,
                                   [] { return std::string_view(); });
      tensors.push_back(input.tensor);
      held.push_back(std::move(input.array));
    }
    std::vector<EngineTensor> outputs;
    std::shared_ptr<const void> memory;
    Error error;
    bool ok = false;
    {
      const py::gil_scoped_release release;
      ok = runner_->Run(tensors, &outputs, &memory, &error);
    }
    if (!ok) {
      const py::object raised = MakeInferError(error.code, error.message);
      PyErr_SetObject(py::type::handle_of(raised).ptr(), raised.ptr());
      throw py::error_already_set();
    }
    return answers_.Make(outputs, std::move(memory), nullptr);
  }

 private:
  std::unique_ptr<PipelineRunner> runner_;
  AnswerMaker answers_;  // guarded by the GIL
};

}  // namespace

void RaiseStepError(const StepError& error) {
  const py::object raised = py::module_::import("penstock._core").attr("StepError");
  PyErr_SetObject(raised.ptr(), py::make_tuple(error.step, error.message).ptr());
  throw py::error_already_set();
}

void BindPipeline(py::module_& module) {
  PyObject* const step_error = PyErr_NewException("penstock._core.StepError", nullptr, nullptr);
  if (step_error == nullptr) throw py::error_already_set();
  module.attr("StepError") = py::reinterpret_steal<py::object>(step_error);
  py::class_<TransformHandle>(module, "Transform");
  py::class_<PipelineChain>(module, "PipelineChain")
      .def(py::init([](std::vector<std::string> from, std::vector<std::string> to,
                       std::vector<std::string> steps, const TransformHandle& transform) {
             return PipelineChain{.from = std::move(from),
                                  .to = std::move(to),
                                  .steps = std::move(steps),
                                  .transform = transform.transform};
           }),
           py::kw_only(), py::arg("from_"), py::arg("to"), py::arg("steps"), py::arg("transform"));
  py::class_<RunnerHandle>(module, "PipelineRunner")
      .def(py::init<std::vector<PipelineChain>>(), py::arg("chains"))
      .def("run", &RunnerHandle::Run, py::arg("inputs"));
}

}  // namespace penstock::binding
