// penstock._core.Preprocessor and the steps it is made from. Any Python thread may run it; the GIL
// is released while it works. Knows only native/include/penstock.
#include "preprocess.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <penstock/preprocess.h>

#include "errors.h"
#include "pipeline.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

// The bytes of a batch's items, held for the length of a run.
class HeldRows final {
 public:
  explicit HeldRows(const py::sequence& batch) {
    const std::size_t count = py::len(batch);
    buffers_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const py::object item = batch[i];
      Py_buffer buffer;
      if (PyObject_GetBuffer(item.ptr(), &buffer, PyBUF_SIMPLE) != 0) {
        PyErr_Clear();
        Release();
        throw py::type_error("row " + std::to_string(i) + ": expected bytes, got " +
                             Py_TYPE(item.ptr())->tp_name);
      }
      buffers_.push_back(buffer);
      rows_.emplace_back(static_cast<const char*>(buffer.buf),
                         static_cast<std::size_t>(buffer.len));
    }
  }
  ~HeldRows() { Release(); }
  HeldRows(const HeldRows&) = delete;
  HeldRows& operator=(const HeldRows&) = delete;

  const std::vector<std::string_view>& rows() const { return rows_; }

 private:
  void Release() {
    for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
    buffers_.clear();
  }

  std::vector<Py_buffer> buffers_;
  std::vector<std::string_view> rows_;
};

py::dtype DtypeOf(std::string_view datatype) {
  if (datatype == "FP32") return py::dtype::of<float>();
  if (datatype == "FP16") return py::dtype("float16");
  return py::dtype::of<std::uint8_t>();
}

// `out`, if it is what a run writes.
py::array CheckOutput(const py::object& out, const py::dtype& dtype,
                      const std::vector<py::ssize_t>& shape) {
  if (!py::isinstance<py::array>(out)) {
    throw py::type_error(std::string("out: expected a numpy array, got ") +
                         Py_TYPE(out.ptr())->tp_name);
  }
  const auto array = py::reinterpret_borrow<py::array>(out);
  const bool same_shape =
      std::vector<py::ssize_t>(array.shape(), array.shape() + array.ndim()) == shape;
  if (!same_shape || !array.dtype().equal(dtype)) {
    throw py::value_error("out: expected " + std::string(py::str(dtype)) + " of shape " +
                          std::string(py::repr(py::cast(shape))) + ", got " +
                          std::string(py::str(array.dtype())) + " of shape " +
                          std::string(py::repr(array.attr("shape"))));
  }
  if (!array.writeable() || (array.flags() & py::array::c_style) == 0) {
    throw py::value_error("out: it must be writable and C-contiguous");
  }
  return array;
}

std::unique_ptr<Preprocessor> Create(const std::vector<PreprocessStep>& steps) {
  StepError error;
  std::unique_ptr<Preprocessor> created = Preprocessor::Create(steps, &error);
  if (created == nullptr) RaiseStepError(error);
  return created;
}

TransformHandle MakeTransform(const std::vector<PreprocessStep>& steps) {
  StepError error;
  TransformHandle made{CreateImageTransform(steps, &error)};
  if (made.transform == nullptr) RaiseStepError(error);
  return made;
}

py::array Run(const Preprocessor& self, const py::object& batch, const py::object& out) {
  if (!py::isinstance<py::sequence>(batch) || PyBytes_Check(batch.ptr()) ||
      PyUnicode_Check(batch.ptr()) || PyByteArray_Check(batch.ptr())) {
    throw py::type_error("batch: expected a sequence of bytes, one item for each row");
  }
  const HeldRows held(py::reinterpret_borrow<py::sequence>(batch));
  std::vector<py::ssize_t> shape{static_cast<py::ssize_t>(held.rows().size())};
  for (const std::int64_t dim : self.row_shape()) shape.push_back(dim);
  const py::dtype dtype = DtypeOf(self.datatype());
  py::array result = out.is_none() ? py::array(dtype, shape) : CheckOutput(out, dtype, shape);
  auto* const output = static_cast<std::byte*>(result.mutable_data());
  Error error;
  bool ok = false;
  {
    const py::gil_scoped_release release;
    ok = self.Run(held.rows(), output, &error);
  }
  if (!ok) {
    const py::object raised = MakeInferError(error.code, error.message);
    PyErr_SetObject(py::type::handle_of(raised).ptr(), raised.ptr());
    throw py::error_already_set();
  }
  return result;
}

void BindImageSteps(py::module_& module) {
  py::class_<DecodeImageStep>(module, "DecodeImageStep")
      .def(py::init([](bool grey, bool orient, bool composite_alpha,
                       std::array<std::uint8_t, 3> background, bool scaled, std::int64_t max_pixels,
                       std::int64_t max_scans, std::int64_t max_memory_bytes) {
             return DecodeImageStep{.grey = grey,
                                    .orient = orient,
                                    .composite_alpha = composite_alpha,
                                    .background = background,
                                    .scaled = scaled,
                                    .max_pixels = max_pixels,
                                    .max_scans = max_scans,
                                    .max_memory_bytes = max_memory_bytes};
           }),
           py::kw_only(), py::arg("grey"), py::arg("orient"), py::arg("composite_alpha"),
           py::arg("background"), py::arg("scaled"), py::arg("max_pixels"), py::arg("max_scans"),
           py::arg("max_memory_bytes"));
  py::class_<ReadPixelsStep>(module, "ReadPixelsStep")
      .def(py::init([](std::int64_t width, std::int64_t height, bool grey) {
             return ReadPixelsStep{.width = width, .height = height, .grey = grey};
           }),
           py::kw_only(), py::arg("width"), py::arg("height"), py::arg("grey"));
  py::class_<CropStep>(module, "CropStep")
      .def(py::init([](std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height) {
             return CropStep{.x = x, .y = y, .width = width, .height = height};
           }),
           py::kw_only(), py::arg("x"), py::arg("y"), py::arg("width"), py::arg("height"));
  py::class_<CenterCropStep>(module, "CenterCropStep")
      .def(py::init([](std::int64_t width, std::int64_t height) {
             return CenterCropStep{.width = width, .height = height};
           }),
           py::kw_only(), py::arg("width"), py::arg("height"));
  py::class_<ResizeStep>(module, "ResizeStep")
      .def(py::init([](std::string mode, std::string filter, std::int64_t width,
                       std::int64_t height, std::array<std::uint8_t, 3> fill) {
             return ResizeStep{.mode = std::move(mode),
                               .filter = std::move(filter),
                               .width = width,
                               .height = height,
                               .fill = fill};
           }),
           py::kw_only(), py::arg("mode"), py::arg("filter"), py::arg("width"), py::arg("height"),
           py::arg("fill"));
  py::class_<NormalizeStep>(module, "NormalizeStep")
      .def(py::init([](double scale, std::vector<double> mean, std::vector<double> std) {
             return NormalizeStep{.scale = scale, .mean = std::move(mean), .std = std::move(std)};
           }),
           py::kw_only(), py::arg("scale"), py::arg("mean"), py::arg("std"));
  py::class_<ToTensorStep>(module, "ToTensorStep")
      .def(py::init([](std::string datatype, std::string layout, bool bgr,
                       std::vector<std::int64_t> shape) {
             return ToTensorStep{.datatype = std::move(datatype),
                                 .layout = std::move(layout),
                                 .bgr = bgr,
                                 .shape = std::move(shape)};
           }),
           py::kw_only(), py::arg("datatype"), py::arg("layout"), py::arg("bgr"), py::arg("shape"));
}

}  // namespace

void BindPreprocess(py::module_& module) {
  BindImageSteps(module);
  module.def("image_transform", &MakeTransform, py::arg("steps"));
  py::class_<Preprocessor>(module, "Preprocessor")
      .def(py::init(&Create), py::arg("steps"))
      .def("run", &Run, py::arg("batch"), py::arg("out") = py::none())
      .def_property_readonly("datatype",
                             [](const Preprocessor& self) { return std::string(self.datatype()); })
      .def_property_readonly("row_shape", [](const Preprocessor& self) {
        const std::span<const std::int64_t> shape = self.row_shape();
        return py::tuple(py::cast(std::vector<std::int64_t>(shape.begin(), shape.end())));
      });
}

}  // namespace penstock::binding
