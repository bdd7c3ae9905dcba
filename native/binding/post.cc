// The steps behind a model for Python: what they are made from, and their transform.
#include "post.h"

#include <pybind11/stl.h>

#include <utility>
#include <vector>

#include <penstock/post.h>

#include "pipeline.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

using Labels = std::vector<std::string>;

template <typename Step>
void BindPlain(py::module_& module, const char* name) {
  py::class_<Step>(module, name).def(py::init<>());
}

}  // namespace

void BindPost(py::module_& module) {
  BindPlain<SoftmaxStep>(module, "SoftmaxStep");
  BindPlain<L2NormalizeStep>(module, "L2NormalizeStep");
  BindPlain<SigmoidStep>(module, "SigmoidStep");
  BindPlain<ArgmaxStep>(module, "ArgmaxStep");
  BindPlain<MeanPoolStep>(module, "MeanPoolStep");
  BindPlain<RenameStep>(module, "RenameStep");
  py::class_<TopKStep>(module, "TopKStep")
      .def(py::init([](std::int64_t k, Labels labels) {
             return TopKStep{.k = k, .labels = std::move(labels)};
           }),
           py::kw_only(), py::arg("k"), py::arg("labels"));
  py::class_<ThresholdStep>(module, "ThresholdStep")
      .def(py::init([](double at, Labels labels) {
             return ThresholdStep{.at = at, .labels = std::move(labels)};
           }),
           py::kw_only(), py::arg("at"), py::arg("labels"));
  py::class_<LabelsStep>(module, "LabelsStep")
      .def(py::init([](Labels labels) { return LabelsStep{.labels = std::move(labels)}; }),
           py::kw_only(), py::arg("labels"));
  module.def(
      "post_transform",
      [](const std::vector<PostStep>& steps) {
        return TransformHandle{CreatePostTransform(steps)};
      },
      py::arg("steps"));
}

}  // namespace penstock::binding
