// penstock._core.PythonSteps: batches that a function of Python's computes, for the thread that
// pulls them (server/penstock/_python_step.py). The GIL is released while it waits.
#include "python_steps.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <penstock/python_step.h>

#include "arrays.h"
#include "pipeline.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

constexpr int kInternal = 13;  // the canonical status code

using PortTuple = std::pair<std::string, std::vector<std::int64_t>>;

std::vector<PythonStepSpec::Port> PortsOf(const std::vector<PortTuple>& given) {
  std::vector<PythonStepSpec::Port> ports;
  for (const auto& [datatype, shape] : given) {
    ports.push_back({.datatype = datatype, .row_shape = shape});
  }
  return ports;
}

class StepsHandle final {
 public:
  py::tuple MakeTransform(const std::vector<PortTuple>& inputs,
                          const std::vector<PortTuple>& outputs, std::int64_t timeout_ms) {
    std::size_t step = 0;
    std::string message;
    TransformHandle made{steps_.MakeTransform(
        {.inputs = PortsOf(inputs), .outputs = PortsOf(outputs), .timeout_ms = timeout_ms}, &step,
        &message)};
    if (made.transform == nullptr) throw py::value_error(message);
    return py::make_tuple(std::move(made), step);
  }
  // (the batch, its step, its arrays), or None.
  py::object Pull() {
    std::shared_ptr<PythonBatch> batch;
    {
      const py::gil_scoped_release release;
      batch = steps_.Pull();
    }
    if (batch == nullptr) return py::none();
    try {
      return py::make_tuple(batch, batch->step(), arrays_.MakeList(batch->inputs(), batch));
    } catch (...) {
      // Whoever sent it would wait for nothing.
      batch->Fail(kInternal, "a Python step's arrays could not be made");
      throw;
    }
  }
  void Close() { steps_.Close(); }

 private:
  PythonSteps steps_;
  AnswerMaker arrays_;  // guarded by the GIL
};

// Empty, or what is wrong with `arrays`; the batch has failed then.
std::string Finish(PythonBatch& batch, const py::list& arrays) {
  std::vector<py::object> held;
  std::vector<EngineTensor> tensors;
  for (const py::handle array : arrays) {
    InputArray view = ViewInput("", array, [] { return std::string_view(); });
    tensors.push_back(view.tensor);
    held.push_back(std::move(view.array));
  }
  std::string message;
  batch.Finish(tensors, &message);
  return message;
}

}  // namespace

void BindPythonSteps(py::module_& module) {
  py::class_<PythonBatch, std::shared_ptr<PythonBatch>>(module, "PythonBatch")
      .def("finish", &Finish, py::arg("arrays"))
      .def("fail", &PythonBatch::Fail, py::arg("code"), py::arg("message"));
  py::class_<StepsHandle>(module, "PythonSteps")
      .def(py::init<>())
      .def("transform", &StepsHandle::MakeTransform, py::kw_only(), py::arg("inputs"),
           py::arg("outputs"), py::arg("timeout_ms"))
      .def("pull", &StepsHandle::Pull)
      .def("close", &StepsHandle::Close);
}

}  // namespace penstock::binding
