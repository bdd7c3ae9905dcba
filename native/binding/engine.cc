// penstock._core.Engine: the in-process engine for Python. Any Python thread may call it.
//
// `infer` is a plain C method, not one that pybind11 dispatches: parsing its arguments by hand
// costs a tenth of what the dispatch does, and a small model's run is not much longer. The GIL is
// kept for runs below 10 us and released around everything that may block.
#include "engine.h"

#include <pybind11/stl.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <penstock/engine.h>

#include "arrays.h"
#include "errors.h"
#include "fork_guarded.h"
#include "options_from_python.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

// How long a waiting call does not look for signals.
constexpr std::chrono::milliseconds kSignalPatience{100};

// The arguments of infer and submit, borrowed from the interpreter's.
struct CallArguments {
  PyObject* model = nullptr;
  PyObject* inputs = nullptr;
  PyObject* outputs = nullptr;
  PyObject* timeout = nullptr;
  PyObject* version = nullptr;
  PyObject* token = nullptr;
};

// A call of the engine with what it holds of Python. Kept for the next one when it ends.
struct HeldCall {
  explicit HeldCall(const Engine& engine) : call(engine) {}
  EngineCall call;
  std::vector<py::object> arrays;
  py::object token;  // of a submitted call
};

std::string_view Text(PyObject* object, const char* what) {
  py::ssize_t size = 0;
  const char* text = PyUnicode_Check(object) ? PyUnicode_AsUTF8AndSize(object, &size) : nullptr;
  if (text != nullptr) return {text, static_cast<std::size_t>(size)};
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  throw py::type_error(std::string(what) + " must be a str, not " + Py_TYPE(object)->tp_name);
}

bool Given(PyObject* object) {
  return object != nullptr && object != Py_None;
}

std::chrono::microseconds TimeoutOf(PyObject* object) {
  const double seconds = PyFloat_AsDouble(object);
  if (seconds == -1 && PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (!(seconds > 0)) throw py::value_error("timeout must be a positive number of seconds");
  constexpr double kYearS = 365 * 86'400.0;
  // At least one: 0 stands for none.
  return std::chrono::microseconds(
      std::max<std::int64_t>(1, static_cast<std::int64_t>(std::min(seconds, kYearS) * 1e6)));
}

// Owns an Engine for Python. All but the engine itself is guarded by the GIL.
class EngineHandle final {
 public:
  EngineHandle(const py::object& options, const std::vector<ModelSource>& models)
      : engine_(Create(options, models), "the engine") {}
  // In a forked child the calls stay, as the engine does: they would take leave of its threads.
  ~EngineHandle() {
    if (engine_.in_owner()) return;
    for (std::unique_ptr<HeldCall>& held : free_) static_cast<void>(held.release());
    for (auto& [call, held] : submitted_) static_cast<void>(held.release());
  }
  EngineHandle(const EngineHandle&) = delete;
  EngineHandle& operator=(const EngineHandle&) = delete;

  py::object Infer(const CallArguments& arguments);
  // None, or the answer at once where the run is brief. Else Finished gives it, with the token.
  py::object Submit(const CallArguments& arguments);
  void Cancel(const py::object& token);
  // A submitted call that ended: its answer or its exception. Its call object is free again.
  py::tuple Collect(EngineCall& call);

  bool Close(std::int64_t drain_timeout_ms) {
    Engine& engine = engine_.Get();
    if (drain_timeout_ms < 0) throw py::value_error("drain_timeout_ms is negative");
    const py::gil_scoped_release release;
    return engine.Stop(std::chrono::milliseconds(drain_timeout_ms));
  }
  Engine& Get() const { return engine_.Get(); }

 private:
  static std::unique_ptr<Engine> Create(const py::object& options,
                                        const std::vector<ModelSource>& models) {
    const ServerOptions engine_options = ServerOptionsFromPython(options);
    Error error;
    std::unique_ptr<Engine> engine;
    {
      const py::gil_scoped_release release;
      engine = Engine::Create(engine_options, models, &error);
    }
    if (engine == nullptr) RaiseError(error);
    return engine;
  }

  // A call taken from free_ for the length of a scope, unless it is let go before.
  class Lease final {
   public:
    explicit Lease(EngineHandle& handle) : handle_(handle), held_(handle.TakeFree()) {}
    ~Lease() {
      if (held_ != nullptr) handle_.Recycle(std::move(held_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    HeldCall* operator->() { return held_.get(); }
    std::unique_ptr<HeldCall> LetGo() { return std::move(held_); }

   private:
    EngineHandle& handle_;
    std::unique_ptr<HeldCall> held_;
  };

  std::unique_ptr<HeldCall> TakeFree();
  void Recycle(std::unique_ptr<HeldCall> held);
  static void Fill(HeldCall& held, const CallArguments& arguments);
  static void FillInputs(HeldCall& held, PyObject* inputs);
  // Blocks without the GIL.
  static void RunLong(EngineCall& call);
  py::object Answer(const EngineCall& call);

  // Destroyed before the engine, whose calls these are.
  ForkGuarded<Engine> engine_;
  AnswerMaker answers_;
  std::vector<std::unique_ptr<HeldCall>> free_;
  std::unordered_map<const EngineCall*, std::unique_ptr<HeldCall>> submitted_;
  std::unordered_map<PyObject*, EngineCall*> by_token_;
};

std::unique_ptr<HeldCall> EngineHandle::TakeFree() {
  const Engine& engine = engine_.Get();
  if (free_.empty()) return std::make_unique<HeldCall>(engine);
  std::unique_ptr<HeldCall> held = std::move(free_.back());
  free_.pop_back();
  return held;
}

void EngineHandle::Recycle(std::unique_ptr<HeldCall> held) {
  held->call.Reset();
  held->arrays.clear();
  held->token = py::object();
  constexpr std::size_t kFreeMax = 256;
  if (free_.size() < kFreeMax) free_.push_back(std::move(held));
}

void EngineHandle::Fill(HeldCall& held, const CallArguments& arguments) {
  EngineCall::Request& request = held.call.request();
  request.model = Text(arguments.model, "model");
  if (Given(arguments.version)) {
    const py::str version = py::reinterpret_borrow<py::object>(arguments.version);
    held.arrays.push_back(version);
    request.version = Text(version.ptr(), "version");
  }
  if (Given(arguments.timeout)) request.timeout = TimeoutOf(arguments.timeout);
  if (Given(arguments.outputs)) {
    if (PyUnicode_Check(arguments.outputs)) {
      throw py::type_error("outputs must be a sequence of names, not one str");
    }
    const py::tuple names = py::reinterpret_borrow<py::object>(arguments.outputs);
    held.arrays.push_back(names);
    for (const py::handle name : names) request.outputs.push_back(Text(name.ptr(), "an output"));
  }
  FillInputs(held, arguments.inputs);
}

void EngineHandle::FillInputs(HeldCall& held, PyObject* inputs) {
  EngineCall& call = held.call;
  py::dict dict;
  if (PyDict_CheckExact(inputs)) {
    dict = py::reinterpret_borrow<py::dict>(inputs);
  } else {
    const py::object named_arrays = py::module_::import("penstock.columns").attr("named_arrays");
    dict = named_arrays(py::handle(inputs), call.DeclaredInputs());
    held.arrays.push_back(dict);
  }
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (py::ssize_t position = 0; PyDict_Next(dict.ptr(), &position, &key, &value) != 0;) {
    const std::string_view name = Text(key, "an input's name");
    InputArray input =
        ViewInput(name, value, [&call, name] { return call.DeclaredDatatype(name); });
    call.request().inputs.push_back(input.tensor);
    held.arrays.push_back(std::move(input.array));
  }
}

py::object EngineHandle::Infer(const CallArguments& arguments) {
  Lease lease(*this);
  Fill(*lease.operator->(), arguments);
  EngineCall& call = lease->call;
  if (call.Begin()) {
    if (call.brief()) {
      call.Run();
    } else {
      RunLong(call);
    }
  }
  return Answer(call);
}

void EngineHandle::RunLong(EngineCall& call) {
  bool interrupted = false;
  {
    const py::gil_scoped_release release;
    if (call.TryRun()) return;
    call.Enqueue();
    while (!call.Wait(kSignalPatience)) {
      if (interrupted) continue;
      const py::gil_scoped_acquire acquire;
      interrupted = PyErr_CheckSignals() != 0;
      if (interrupted) call.Cancel();
    }
  }
  if (interrupted) throw py::error_already_set();
}

py::object EngineHandle::Answer(const EngineCall& call) {
  if (call.ok()) {
    return answers_.Make(call.results(), call.memory(), engine_.Get().keep_alive());
  }
  const py::object exception = MakeInferError(call.code(), call.message());
  PyErr_SetObject(py::type::of(exception).ptr(), exception.ptr());
  throw py::error_already_set();
}

py::object EngineHandle::Submit(const CallArguments& arguments) {
  Lease lease(*this);
  Fill(*lease.operator->(), arguments);
  EngineCall& call = lease->call;
  if (!call.Begin()) return Answer(call);
  if (call.brief()) {
    call.Run();
    return Answer(call);
  }
  lease->token = py::reinterpret_borrow<py::object>(arguments.token);
  by_token_[arguments.token] = &call;
  submitted_[&call] = lease.LetGo();
  call.Submit();
  return py::none();
}

void EngineHandle::Cancel(const py::object& token) {
  const auto found = by_token_.find(token.ptr());
  if (found != by_token_.end()) found->second->Cancel();
}

py::tuple EngineHandle::Collect(EngineCall& call) {
  auto node = submitted_.extract(&call);
  std::unique_ptr<HeldCall> held = std::move(node.mapped());
  by_token_.erase(held->token.ptr());
  const py::object token = held->token;
  py::object answer;
  bool ok = call.ok();
  try {
    answer = ok ? Answer(call) : MakeInferError(call.code(), call.message());
  } catch (py::error_already_set& error) {  // no memory, or a codec's complaint
    answer = error.value();
    ok = false;
  }
  Recycle(std::move(held));
  return py::make_tuple(token, ok, answer);
}

// The finished calls of one engine: a Python thread pulls them, with the GIL released while there
// are none. It keeps no handle alive, so that an engine nobody holds can end.
class FinishedHandle final {
 public:
  explicit FinishedHandle(EngineHandle& handle)
      : finished_(std::make_unique<EngineFinished>(handle.Get()), "the engine"), handle_(handle) {}

  // (token, whether it went well, answer or exception) for each; empty: the engine has stopped.
  py::list Next() {
    EngineFinished& finished = finished_.Get();
    std::vector<EngineCall*> calls;
    {
      const py::gil_scoped_release release;
      calls = finished.Next();
    }
    // A call that has not been collected has a token that keeps the handle alive.
    py::list ended;
    for (EngineCall* call : calls) ended.append(handle_.Collect(*call));
    return ended;
  }

 private:
  ForkGuarded<EngineFinished> finished_;
  EngineHandle& handle_;
};

// --- the C methods ---

struct Keyword {
  const char* name;
  PyObject* CallArguments::* field;
};
constexpr Keyword kKeywords[] = {
    {.name = "model", .field = &CallArguments::model},
    {.name = "inputs", .field = &CallArguments::inputs},
    {.name = "outputs", .field = &CallArguments::outputs},
    {.name = "timeout", .field = &CallArguments::timeout},
    {.name = "version", .field = &CallArguments::version},
    {.name = "token", .field = &CallArguments::token},
};

CallArguments ParseArguments(PyObject* const* arguments, py::ssize_t positional, PyObject* names,
                             std::size_t positional_max) {
  CallArguments parsed;
  if (static_cast<std::size_t>(positional) > positional_max) {
    throw py::type_error("takes at most " + std::to_string(positional_max) +
                         " positional arguments");
  }
  for (py::ssize_t i = 0; i < positional; ++i) parsed.*(kKeywords[i].field) = arguments[i];
  const py::ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  for (py::ssize_t i = 0; i < named; ++i) {
    PyObject* const name = PyTuple_GET_ITEM(names, i);
    const Keyword* keyword = nullptr;
    for (const Keyword& known : kKeywords) {
      if (PyUnicode_CompareWithASCIIString(name, known.name) == 0) keyword = &known;
    }
    if (keyword == nullptr) {
      throw py::type_error("unexpected argument '" + std::string(Text(name, "a name")) + "'");
    }
    PyObject*& field = parsed.*(keyword->field);
    if (field != nullptr) {
      throw py::type_error("argument '" + std::string(keyword->name) + "' given twice");
    }
    field = arguments[positional + i];
  }
  if (parsed.model == nullptr || parsed.inputs == nullptr) {
    throw py::type_error("model and inputs are needed");
  }
  return parsed;
}

EngineHandle& HandleOf(PyObject* self) {
  // The descriptor has checked the type. pybind11's own cast looks the type up in a hash table.
  auto* const instance = reinterpret_cast<py::detail::instance*>(self);
  auto* const handle = static_cast<EngineHandle*>(instance->get_value_and_holder().value_ptr());
  if (handle == nullptr) throw std::runtime_error("the engine was not initialised");
  return *handle;
}

// What pybind11 does around its own functions.
template <typename Function>
PyObject* Guarded(const Function& function) {
  try {
    return function().release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::builtin_exception& error) {
    error.set_error();
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

PyObject* InferMethod(PyObject* self, PyObject* const* arguments, py::ssize_t positional,
                      PyObject* names) {
  return Guarded(
      [&] { return HandleOf(self).Infer(ParseArguments(arguments, positional, names, 3)); });
}

PyObject* SubmitMethod(PyObject* self, PyObject* const* arguments, py::ssize_t positional,
                       PyObject* names) {
  return Guarded(
      [&] { return HandleOf(self).Submit(ParseArguments(arguments, positional, names, 6)); });
}

constexpr const char* kInferDoc =
    "infer(model, inputs, outputs=None, *, timeout=None, version=None)\n--\n\n"
    "Runs a model and returns its outputs by name; see penstock.Engine.";

PyMethodDef methods[] = {
    {"infer", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&InferMethod)),
     METH_FASTCALL | METH_KEYWORDS, kInferDoc},
    {"submit", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&SubmitMethod)),
     METH_FASTCALL | METH_KEYWORDS, nullptr},
};

}  // namespace

void BindEngine(py::module_& module) {
  py::class_<EngineHandle> engine(module, "Engine");
  engine
      .def(py::init<const py::object&, const std::vector<ModelSource>&>(), py::arg("options"),
           py::arg("models"))
      .def("cancel", &EngineHandle::Cancel, py::arg("token"))
      .def("stop", &EngineHandle::Close, py::arg("drain_timeout_ms"))
      .def("live_calls", [](const EngineHandle& self) { return self.Get().live_calls(); })
      .def("metrics_text", [](const EngineHandle& self) { return MetricsText(self.Get()); })
      .def_property_readonly("reports",
                             [](const EngineHandle& self) { return self.Get().models(); });
  for (PyMethodDef& method : methods) {
    const py::object descriptor = py::reinterpret_steal<py::object>(
        PyDescr_NewMethod(reinterpret_cast<PyTypeObject*>(engine.ptr()), &method));
    if (!descriptor) throw py::error_already_set();
    engine.attr(method.ml_name) = descriptor;
  }
  py::class_<FinishedHandle>(module, "EngineFinished")
      .def(py::init<EngineHandle&>(), py::arg("engine"))
      .def("next", &FinishedHandle::Next);
}

}  // namespace penstock::binding
