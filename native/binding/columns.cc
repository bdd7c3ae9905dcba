// penstock._core.columns_transform and the steps of columns that it is made from. Knows only
// native/include/penstock.
#include "columns.h"

#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <penstock/columns.h>

#include "pipeline.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

TransformHandle MakeTransform(std::vector<ColumnsSpec::Input> inputs,
                              std::vector<std::string> outputs,
                              std::vector<ColumnsSpec::Feature> features,
                              std::int64_t output_bytes_max) {
  const ColumnsSpec spec{.inputs = std::move(inputs),
                         .outputs = std::move(outputs),
                         .features = std::move(features),
                         .output_bytes_max = output_bytes_max};
  StepError error;
  TransformHandle made{MakeColumnsTransform(spec, &error)};
  if (made.transform == nullptr) RaiseStepError(error);
  return made;
}

void BindNumberSteps(py::module_& module) {
  py::class_<ImputeStep>(module, "ImputeStep")
      .def(py::init([](std::optional<ColumnValue> marker, ColumnValue value) {
             return ImputeStep{.marker = std::move(marker), .value = std::move(value)};
           }),
           py::kw_only(), py::arg("marker"), py::arg("value"));
  py::class_<ScaleStep>(module, "ScaleStep")
      .def(py::init([](double subtract, double divide, double multiply, double add) {
             return ScaleStep{
                 .subtract = subtract, .divide = divide, .multiply = multiply, .add = add};
           }),
           py::kw_only(), py::arg("subtract"), py::arg("divide"), py::arg("multiply"),
           py::arg("add"));
  py::class_<ClipStep>(module, "ClipStep")
      .def(py::init([](double min, double max) { return ClipStep{.min = min, .max = max}; }),
           py::kw_only(), py::arg("min"), py::arg("max"));
  py::class_<BucketizeStep>(module, "BucketizeStep")
      .def(py::init(
               [](std::vector<double> edges) { return BucketizeStep{.edges = std::move(edges)}; }),
           py::kw_only(), py::arg("edges"));
  py::class_<IsMissingStep>(module, "IsMissingStep").def(py::init());
}

void BindCategorySteps(py::module_& module) {
  py::class_<OrdinalStep>(module, "OrdinalStep")
      .def(py::init([](std::vector<ColumnValue> categories, std::vector<double> values,
                       std::optional<double> unknown) {
             return OrdinalStep{.categories = std::move(categories),
                                .values = std::move(values),
                                .unknown = unknown};
           }),
           py::kw_only(), py::arg("categories"), py::arg("values"), py::arg("unknown"));
  py::class_<OneHotStep>(module, "OneHotStep")
      .def(py::init([](std::vector<ColumnValue> categories, std::vector<std::int64_t> slots,
                       std::int64_t width, std::optional<std::int64_t> unknown) {
             return OneHotStep{.categories = std::move(categories),
                               .slots = std::move(slots),
                               .width = width,
                               .unknown = unknown};
           }),
           py::kw_only(), py::arg("categories"), py::arg("slots"), py::arg("width"),
           py::arg("unknown"));
  py::class_<HashStep>(module, "HashStep")
      .def(py::init([](std::int64_t width, bool alternate_sign, std::string prefix,
                       std::int64_t string_bytes_max) {
             return HashStep{.width = width,
                             .alternate_sign = alternate_sign,
                             .prefix = std::move(prefix),
                             .string_bytes_max = string_bytes_max};
           }),
           py::kw_only(), py::arg("width"), py::arg("alternate_sign"), py::arg("prefix"),
           py::arg("string_bytes_max"));
}

}  // namespace

void BindColumns(py::module_& module) {
  BindNumberSteps(module);
  BindCategorySteps(module);
  py::class_<ColumnsSpec::Input>(module, "ColumnInput")
      .def(py::init([](std::string datatype, std::vector<std::string> columns, bool matrix) {
             return ColumnsSpec::Input{
                 .datatype = std::move(datatype), .columns = std::move(columns), .matrix = matrix};
           }),
           py::kw_only(), py::arg("datatype"), py::arg("columns"), py::arg("matrix"));
  py::class_<ColumnsSpec::Feature>(module, "ColumnFeature")
      .def(py::init([](std::vector<std::string> columns, std::vector<ColumnStep> steps,
                       std::size_t output, bool refuse_missing) {
             return ColumnsSpec::Feature{.columns = std::move(columns),
                                         .steps = std::move(steps),
                                         .output = output,
                                         .refuse_missing = refuse_missing};
           }),
           py::kw_only(), py::arg("columns"), py::arg("steps"), py::arg("output"),
           py::arg("refuse_missing"));
  module.def("columns_transform", &MakeTransform, py::kw_only(), py::arg("inputs"),
             py::arg("outputs"), py::arg("features"), py::arg("output_bytes_max"));
}

}  // namespace penstock::binding
