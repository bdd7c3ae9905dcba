// The load generator in penstock._core: LoadRun, UnaryCall and their values. Any Python thread may
// call them; the GIL is released around what blocks. Knows only native/include/penstock.
#include "load.h"

#include <pybind11/stl.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <penstock/load.h>

#include "errors.h"
#include "fork_guarded.h"

namespace penstock::binding {
namespace {

namespace py = pybind11;

AnswerCheck CheckFromText(std::string_view text) {
  if (text == "status") return AnswerCheck::kStatus;
  if (text == "bytes") return AnswerCheck::kBytes;
  if (text == "tensors") return AnswerCheck::kTensors;
  throw py::value_error("check: expected 'status', 'bytes' or 'tensors'");
}

LoadMode ModeFromText(std::string_view text) {
  if (text == "open") return LoadMode::kOpen;
  if (text == "closed") return LoadMode::kClosed;
  throw py::value_error("mode: expected 'open' or 'closed'");
}

Arrivals ArrivalsFromText(std::string_view text) {
  if (text == "poisson") return Arrivals::kPoisson;
  if (text == "constant") return Arrivals::kConstant;
  throw py::value_error("arrivals: expected 'poisson' or 'constant'");
}

const char* EndToText(LoadEnd end) {
  switch (end) {
    case LoadEnd::kRunning:
      return "running";
    case LoadEnd::kFinished:
      return "finished";
    case LoadEnd::kStopped:
      return "stopped";
    case LoadEnd::kNotConnected:
      return "not_connected";
    case LoadEnd::kDisconnected:
      return "disconnected";
    case LoadEnd::kStalled:
      return "stalled";
  }
  return "";
}

std::vector<std::string> Strings(const std::vector<py::bytes>& from) {
  return {from.begin(), from.end()};
}

std::vector<std::pair<double, std::int64_t>> Pairs(const std::vector<LoadBucket>& buckets) {
  std::vector<std::pair<double, std::int64_t>> pairs;
  pairs.reserve(buckets.size());
  for (const LoadBucket& bucket : buckets) pairs.emplace_back(bucket.value_us, bucket.count);
  return pairs;
}

// Owns a LoadRun for Python.
class RunHandle final {
 public:
  static std::unique_ptr<RunHandle> Create(const LoadOptions& options) {
    Error error;
    std::unique_ptr<LoadRun> run;
    {
      const py::gil_scoped_release release;  // the host may have to be looked up
      run = LoadRun::Create(options, &error);
    }
    if (run == nullptr) RaiseError(error);
    return std::unique_ptr<RunHandle>(new RunHandle(std::move(run)));
  }

  // Under the GIL, so that two Python threads cannot both start it.
  void Start() {
    LoadRun& run = run_.Get();
    if (std::exchange(started_, true)) throw std::runtime_error("the run was started before");
    run.Start();
  }

  bool Wait(double timeout_s) {
    LoadRun& run = Started();
    if (!(timeout_s >= 0)) throw py::value_error("timeout_s is negative");
    constexpr double kDayS = 86'400;
    const py::gil_scoped_release release;
    return run.Wait(timeout_s < kDayS ? timeout_s : kDayS);
  }

  const LoadResult& Result() {
    LoadRun& run = Started();
    if (!run.Wait(0)) throw std::runtime_error("the run has not ended");
    return run.Result();
  }

  LoadRun& Started() const {
    LoadRun& run = run_.Get();
    if (!started_) throw std::runtime_error("the run has not been started");
    return run;
  }

 private:
  explicit RunHandle(std::unique_ptr<LoadRun> run) : run_(std::move(run), "the run") {}

  ForkGuarded<LoadRun> run_;
  bool started_ = false;
};

LoadPayload NewPayload(std::string path, const std::vector<py::bytes>& messages,
                       const std::vector<py::bytes>& expected, const std::string& check,
                       double tolerance, double weight, std::int64_t timeout_us,
                       std::vector<std::pair<std::string, std::string>> metadata,
                       std::string source) {
  return {.path = std::move(path),
          .messages = Strings(messages),
          .expected = Strings(expected),
          .check = CheckFromText(check),
          .tolerance = tolerance,
          .weight = weight,
          .timeout_us = timeout_us,
          .metadata = std::move(metadata),
          .source = std::move(source)};
}

LoadOptions NewOptions(std::vector<LoadPayload> payloads, std::string host, std::uint16_t port,
                       int connections, const std::string& mode, const std::string& arrivals,
                       const std::vector<std::tuple<double, double, double>>& segments,
                       int concurrency, double duration_s, std::int64_t requests_max,
                       double warmup_s, std::uint64_t seed, std::int64_t in_flight_max,
                       double connect_timeout_s, double stall_timeout_s, double drain_timeout_s,
                       bool keep_second_buckets) {
  LoadOptions options = {.host = std::move(host),
                         .port = port,
                         .payloads = std::move(payloads),
                         .connections = connections,
                         .mode = ModeFromText(mode),
                         .arrivals = ArrivalsFromText(arrivals),
                         .concurrency = concurrency,
                         .duration_s = duration_s,
                         .requests_max = requests_max,
                         .warmup_s = warmup_s,
                         .seed = seed,
                         .in_flight_max = in_flight_max,
                         .connect_timeout_s = connect_timeout_s,
                         .stall_timeout_s = stall_timeout_s,
                         .drain_timeout_s = drain_timeout_s,
                         .keep_second_buckets = keep_second_buckets};
  for (const auto& [seconds, from, to] : segments) {
    options.segments.push_back({.duration_s = seconds, .rate_start = from, .rate_end = to});
  }
  return options;
}

void BindOptions(py::module_& module) {
  py::class_<LoadPayload>(module, "LoadPayload")
      .def(py::init(&NewPayload), py::kw_only(), py::arg("path"), py::arg("messages"),
           py::arg("expected") = std::vector<py::bytes>(), py::arg("check") = "tensors",
           py::arg("tolerance") = 1e-4, py::arg("weight") = 1.0, py::arg("timeout_us") = 0,
           py::arg("metadata") = std::vector<std::pair<std::string, std::string>>(),
           py::arg("source") = "");
  const LoadOptions defaults;
  py::class_<LoadOptions>(module, "LoadOptions")
      .def(py::init(&NewOptions), py::kw_only(), py::arg("payloads"),
           py::arg("host") = defaults.host, py::arg("port") = defaults.port,
           py::arg("connections") = defaults.connections, py::arg("mode") = "open",
           py::arg("arrivals") = "poisson",
           py::arg("segments") = std::vector<std::tuple<double, double, double>>(),
           py::arg("concurrency") = defaults.concurrency,
           py::arg("duration_s") = defaults.duration_s,
           py::arg("requests_max") = defaults.requests_max, py::arg("warmup_s") = defaults.warmup_s,
           py::arg("seed") = defaults.seed, py::arg("in_flight_max") = defaults.in_flight_max,
           py::arg("connect_timeout_s") = defaults.connect_timeout_s,
           py::arg("stall_timeout_s") = defaults.stall_timeout_s,
           py::arg("drain_timeout_s") = defaults.drain_timeout_s,
           py::arg("keep_second_buckets") = defaults.keep_second_buckets);
}

void BindValues(py::module_& module) {
  py::class_<LoadHistogram>(module, "LoadHistogram")
      .def_readonly("count", &LoadHistogram::count)
      .def_readonly("mean_us", &LoadHistogram::mean_us)
      .def_readonly("min_us", &LoadHistogram::min_us)
      .def_readonly("max_us", &LoadHistogram::max_us)
      .def_property_readonly("buckets",
                             [](const LoadHistogram& self) { return Pairs(self.buckets); })
      .def("percentile_us", &LoadHistogram::PercentileUs, py::arg("percent"));
  py::class_<LoadCounts>(module, "LoadCounts")
      .def_readonly("offered", &LoadCounts::offered)
      .def_readonly("sent", &LoadCounts::sent)
      .def_readonly("ok", &LoadCounts::ok)
      .def_readonly("wrong", &LoadCounts::wrong)
      .def_readonly("shed", &LoadCounts::shed)
      .def_readonly("deadline_missed", &LoadCounts::deadline_missed)
      .def_readonly("errors", &LoadCounts::errors)
      .def_readonly("transport_errors", &LoadCounts::transport_errors)
      .def_readonly("unanswered", &LoadCounts::unanswered)
      .def_readonly("generator_limited", &LoadCounts::generator_limited)
      .def_readonly("statuses", &LoadCounts::statuses);
  py::class_<LoadSecond>(module, "LoadSecond")
      .def_readonly("index", &LoadSecond::index)
      .def_readonly("offered", &LoadSecond::offered)
      .def_readonly("sent", &LoadSecond::sent)
      .def_readonly("ok", &LoadSecond::ok)
      .def_readonly("failed", &LoadSecond::failed)
      .def_readonly("in_flight", &LoadSecond::in_flight)
      .def_readonly("p50_us", &LoadSecond::p50_us)
      .def_readonly("p99_us", &LoadSecond::p99_us)
      .def_readonly("max_us", &LoadSecond::max_us)
      .def_property_readonly("buckets", [](const LoadSecond& self) { return Pairs(self.buckets); });
  py::class_<LoadPayloadResult>(module, "LoadPayloadResult")
      .def_readonly("counts", &LoadPayloadResult::counts)
      .def_readonly("latency", &LoadPayloadResult::latency);
}

void BindResults(py::module_& module) {
  py::class_<LoadResult>(module, "LoadResult")
      .def_property_readonly("end", [](const LoadResult& self) { return EndToText(self.end); })
      .def_readonly("failure", &LoadResult::failure)
      .def_readonly("duration_s", &LoadResult::duration_s)
      .def_readonly("elapsed_s", &LoadResult::elapsed_s)
      .def_readonly("counts", &LoadResult::counts)
      .def_readonly("payloads", &LoadResult::payloads)
      .def_readonly("latency", &LoadResult::latency)
      .def_readonly("latency_from_send", &LoadResult::latency_from_send)
      .def_readonly("shed_latency", &LoadResult::shed_latency)
      .def_readonly("schedule_error", &LoadResult::schedule_error)
      .def_readonly("seconds", &LoadResult::seconds)
      .def_property_readonly("examples",
                             [](const LoadResult& self) {
                               std::vector<std::pair<std::string, std::int64_t>> examples;
                               for (const LoadFailureExample& example : self.examples) {
                                 examples.emplace_back(example.text, example.count);
                               }
                               return examples;
                             })
      .def_readonly("warmup_calls", &LoadResult::warmup_calls)
      .def_readonly("connections_lost", &LoadResult::connections_lost)
      .def_readonly("stream_limited", &LoadResult::stream_limited)
      .def_readonly("stream_limit", &LoadResult::stream_limit)
      .def_readonly("cpu_s", &LoadResult::cpu_s)
      .def_readonly("busy_share", &LoadResult::busy_share);
  py::class_<LoadProgress>(module, "LoadProgress")
      .def_property_readonly("end", [](const LoadProgress& self) { return EndToText(self.end); })
      .def_readonly("connected", &LoadProgress::connected)
      .def_readonly("warming", &LoadProgress::warming)
      .def_readonly("elapsed_s", &LoadProgress::elapsed_s)
      .def_readonly("total_s", &LoadProgress::total_s)
      .def_readonly("offered", &LoadProgress::offered)
      .def_readonly("ok", &LoadProgress::ok)
      .def_readonly("failed", &LoadProgress::failed)
      .def_readonly("in_flight", &LoadProgress::in_flight)
      .def_readonly("p50_us", &LoadProgress::p50_us)
      .def_readonly("p99_us", &LoadProgress::p99_us);
}

UnaryAnswer RunUnaryCall(const std::string& host, std::uint16_t port, const std::string& path,
                         const py::bytes& message, double timeout_s) {
  const std::string body = message;
  const py::gil_scoped_release release;
  return UnaryCall(host, port, path, body, timeout_s);
}

}  // namespace

void BindLoad(py::module_& module) {
  BindOptions(module);
  BindValues(module);
  BindResults(module);
  py::class_<RunHandle>(module, "LoadRun")
      .def_static("create", &RunHandle::Create, py::arg("options"))
      .def("start", &RunHandle::Start)
      .def("snapshot", [](const RunHandle& self) { return self.Started().Snapshot(); })
      .def(
          "seconds",
          [](const RunHandle& self, std::int64_t first) { return self.Started().Seconds(first); },
          py::arg("first") = 0)
      .def("stop", [](const RunHandle& self) { self.Started().Stop(); })
      .def("wait", &RunHandle::Wait, py::arg("timeout_s"))
      .def("result", &RunHandle::Result, py::return_value_policy::copy);
  py::class_<UnaryAnswer>(module, "UnaryCall")
      .def_static("run", &RunUnaryCall, py::kw_only(), py::arg("host"), py::arg("port"),
                  py::arg("path"), py::arg("message"), py::arg("timeout_s") = 5.0)
      .def_readonly("code", &UnaryAnswer::code)
      .def_readonly("status_message", &UnaryAnswer::status_message)
      .def_property_readonly("message",
                             [](const UnaryAnswer& self) { return py::bytes(self.message); });
}

}  // namespace penstock::binding
