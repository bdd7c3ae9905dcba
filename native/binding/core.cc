// The Python module penstock._core, and in it Server and the values it takes and returns. Any
// Python thread may call it; the GIL is released around everything that blocks. Knows only
// native/include/penstock.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <penstock/machine.h>
#include <penstock/server.h>

#include "columns.h"
#include "engine.h"
#include "errors.h"
#include "fork_guarded.h"
#include "load.h"
#include "options_from_python.h"
#include "pipeline.h"
#include "post.h"
#include "preprocess.h"
#include "python_steps.h"
#include "tokenizer.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

// Owns a Server for Python.
class ServerHandle final {
 public:
  static std::unique_ptr<ServerHandle> Create(const py::object& options,
                                              const std::vector<ModelSource>& models) {
    const ServerOptions server_options = ServerOptionsFromPython(options);
    Error error;
    std::unique_ptr<Server> server;
    {
      const py::gil_scoped_release release;
      server = Server::Create(server_options, models, &error);
    }
    if (server == nullptr) RaiseError(error);
    return std::unique_ptr<ServerHandle>(new ServerHandle(std::move(server)));
  }

  bool Stop(std::int64_t drain_timeout_ms) {
    Server& server = server_.Get();
    if (drain_timeout_ms < 0) throw py::value_error("drain_timeout_ms is negative");
    if (stopped_.exchange(true)) throw std::runtime_error("the server was stopped before");
    const py::gil_scoped_release release;
    return server.Stop(std::chrono::milliseconds(drain_timeout_ms));
  }

  Server& Get() const { return server_.Get(); }

 private:
  explicit ServerHandle(std::unique_ptr<Server> server)
      : server_(std::move(server), "the server") {}

  ForkGuarded<Server> server_;
  std::atomic<bool> stopped_ = false;  // seq_cst; Python threads may race to stop
};

void BindValues(py::module_& module) {
  py::class_<RaggedDeclaration>(module, "RaggedDeclaration")
      .def(py::init([](std::string input, std::int64_t axis, double pad, std::string mask) {
             return RaggedDeclaration{
                 .input = std::move(input), .axis = axis, .pad = pad, .mask = std::move(mask)};
           }),
           py::kw_only(), py::arg("input"), py::arg("axis"), py::arg("pad"), py::arg("mask"));
  py::class_<ModelSource>(module, "ModelSource")
      .def(py::init([](std::string name, std::int64_t version, std::string path,
                       const py::object& options, std::vector<PipelineChain> preprocessing,
                       std::vector<PipelineChain> postprocessing, bool allow_raw,
                       OutputLabels labels, std::vector<RaggedDeclaration> ragged) {
             return ModelSource{.name = std::move(name),
                                .version = version,
                                .path = std::move(path),
                                .options = ModelOptionsFromPython(options),
                                .labels = std::move(labels),
                                .pipeline = {.preprocessing = std::move(preprocessing),
                                             .postprocessing = std::move(postprocessing),
                                             .allow_raw = allow_raw},
                                .ragged = std::move(ragged)};
           }),
           py::kw_only(), py::arg("name"), py::arg("version"), py::arg("path"), py::arg("options"),
           py::arg("preprocessing") = std::vector<PipelineChain>(),
           py::arg("postprocessing") = std::vector<PipelineChain>(), py::arg("allow_raw") = false,
           py::arg("labels") = OutputLabels(), py::arg("ragged") = std::vector<RaggedDeclaration>())
      .def_readonly("name", &ModelSource::name)
      .def_readonly("version", &ModelSource::version)
      .def_readonly("path", &ModelSource::path);
  py::class_<TensorReport>(module, "TensorReport")
      .def_readonly("name", &TensorReport::name)
      .def_readonly("datatype", &TensorReport::datatype)
      .def_readonly("shape", &TensorReport::shape);
  py::class_<ModelReport>(module, "ModelReport")
      .def_readonly("name", &ModelReport::name)
      .def_readonly("version", &ModelReport::version)
      .def_readonly("inputs", &ModelReport::inputs)
      .def_readonly("outputs", &ModelReport::outputs)
      .def_readonly("preprocessing", &ModelReport::preprocessing)
      .def_readonly("postprocessing", &ModelReport::postprocessing)
      .def_readonly("raw_inputs", &ModelReport::raw_inputs)
      .def_readonly("providers", &ModelReport::providers)
      .def_readonly("ragged", &ModelReport::ragged)
      .def_readonly("probe_note", &ModelReport::probe_note)
      .def_readonly("batchable", &ModelReport::batchable)
      .def_readonly("batchable_reason", &ModelReport::batchable_reason)
      .def_readonly("execution", &ModelReport::execution)
      .def_readonly("execution_reason", &ModelReport::execution_reason)
      .def_readonly("max_batch_size", &ModelReport::max_batch_size)
      .def_readonly("l1_us", &ModelReport::l1_us)
      .def_readonly("lmax_us", &ModelReport::lmax_us);
  py::class_<Server::LiveCounts>(module, "LiveCounts")
      .def_readonly("connections", &Server::LiveCounts::connections)
      .def_readonly("calls", &Server::LiveCounts::calls)
      .def_readonly("buffers", &Server::LiveCounts::buffers)
      .def_readonly("accepted", &Server::LiveCounts::accepted)
      .def_readonly("finished", &Server::LiveCounts::finished);
}

void BindServer(py::module_& module) {
  py::class_<ServerHandle>(module, "Server")
      .def_static("create", &ServerHandle::Create, py::arg("options"), py::arg("models"))
      .def("stop", &ServerHandle::Stop, py::arg("drain_timeout_ms"))
      .def("metrics_text", [](const ServerHandle& self) { return MetricsText(self.Get()); })
      .def("live_counts", [](const ServerHandle& self) { return self.Get().live_counts(); })
      .def_property_readonly("host", [](const ServerHandle& self) { return self.Get().host(); })
      .def_property_readonly("grpc_port",
                             [](const ServerHandle& self) { return self.Get().grpc_port(); })
      .def_property_readonly("models",
                             [](const ServerHandle& self) { return self.Get().models(); });
}

}  // namespace

PYBIND11_MODULE(_core, module) {
  ForkGeneration::Watch();
  BindErrors(module);
  module.def("granted_cores", &GrantedCores);
  BindValues(module);
  BindServer(module);
  BindEngine(module);
  BindLoad(module);
  BindPipeline(module);
  BindColumns(module);
  BindPost(module);
  BindPythonSteps(module);
  BindPreprocess(module);
  BindTokenizer(module);
}

}  // namespace penstock::binding
