#include "engine/model_metrics.h"

#include <array>
#include <string_view>
#include <vector>

namespace penstock {
namespace {

using metrics::Metric;
using metrics::PrometheusText;

constexpr double kNsPerSecond = 1e9;

// In the order of Stage.
constexpr std::array<std::string_view, metrics::kStages> kStageNames = {
    "decode", "queue", "prepare", "run", "respond"};

// In the order of CloseReason.
constexpr std::array<std::string_view, kCloseReasons> kCloseReasonNames = {
    "full", "idle", "deadline", "delay", "shape"};

// One model version, looked at once for all metrics.
struct Seen {
  std::string_view model;
  std::string_view version;
  bool prepares = false;
  metrics::ModelCounts counts;
  Scheduler::Snapshot queue;
  std::int64_t runs_ended = 0;
  ServiceTime::Line service;
  TimeNs cpu_time = 0;
  Transform::Delegated python;
  const BatchQueue* ragged = nullptr;  // of a model with ragged inputs
};

// A status that no call ended with is left out, but for OK.
void AddCalls(PrometheusText& text, const std::vector<Seen>& models) {
  text.Begin(Metric::kModelCallsTotal);
  for (const Seen& seen : models) {
    for (std::size_t code = 0; code < seen.counts.calls.size(); ++code) {
      if (code > 0 && seen.counts.calls[code] == 0) continue;
      text.Add({{"model", seen.model},
                {"version", seen.version},
                {"status", StatusCodeName(static_cast<StatusCode>(code))}},
               seen.counts.calls[code]);
    }
  }
}

void AddStages(PrometheusText& text, const std::vector<Seen>& models) {
  text.Begin(Metric::kModelStageSeconds);
  for (const Seen& seen : models) {
    for (std::size_t i = 0; i < metrics::kStages; ++i) {
      if (i == static_cast<std::size_t>(metrics::Stage::kPrepare) && !seen.prepares) continue;
      text.AddHistogram(
          {{"model", seen.model}, {"version", seen.version}, {"stage", kStageNames[i]}},
          seen.counts.stages[i], metrics::DurationCells::kFirst, kNsPerSecond);
    }
  }
}

void AddDurations(PrometheusText& text, Metric metric, const std::vector<Seen>& models,
                  metrics::DurationCells::Sums metrics::ModelCounts::* durations) {
  text.Begin(metric);
  for (const Seen& seen : models) {
    text.AddHistogram({{"model", seen.model}, {"version", seen.version}}, seen.counts.*durations,
                      metrics::DurationCells::kFirst, kNsPerSecond);
  }
}

void AddBatchRows(PrometheusText& text, const std::vector<Seen>& models) {
  text.Begin(Metric::kModelBatchRows);
  for (const Seen& seen : models) {
    text.AddHistogram({{"model", seen.model}, {"version", seen.version}}, seen.counts.batch_rows,
                      metrics::RowCells::kFirst, 1);
  }
}

template <typename Value>
void AddEach(PrometheusText& text, Metric metric, const std::vector<Seen>& models, Value value) {
  text.Begin(metric);
  for (const Seen& seen : models) {
    text.Add({{"model", seen.model}, {"version", seen.version}}, value(seen));
  }
}

void AddPython(PrometheusText& text, const std::vector<Seen>& models) {
  text.Begin(Metric::kModelPythonCallsTotal);
  for (const Seen& seen : models) {
    if (seen.python.runs == 0) continue;
    text.Add({{"model", seen.model}, {"version", seen.version}}, seen.python.runs);
  }
  text.Begin(Metric::kModelPythonSecondsTotal);
  for (const Seen& seen : models) {
    if (seen.python.runs == 0) continue;
    text.Add({{"model", seen.model}, {"version", seen.version}},
             static_cast<double>(seen.python.time) / kNsPerSecond);
  }
}

// What else tells a sample of a model apart, and its number.
template <typename Number>
struct Part {
  std::string_view name;
  Number value;
};

template <typename Parts>
void AddParts(PrometheusText& text, Metric metric, std::string_view label,
              const std::vector<Seen>& models, Parts parts_of) {
  text.Begin(metric);
  for (const Seen& seen : models) {
    for (const auto& part : parts_of(seen)) {
      text.Add({{"model", seen.model}, {"version", seen.version}, {label, part.name}}, part.value);
    }
  }
}

void AddQueues(PrometheusText& text, const std::vector<Seen>& models) {
  AddParts(text, Metric::kModelBatchesTotal, "closed", models, [](const Seen& seen) {
    std::array<Part<std::int64_t>, kCloseReasons> parts;
    for (std::size_t i = 0; i < kCloseReasons; ++i) {
      parts[i] = {kCloseReasonNames[i], seen.queue.counts.batches[i]};
    }
    return parts;
  });
  AddParts(text, Metric::kModelRefusedTotal, "cause", models, [](const Seen& seen) {
    const QueueCounts& counts = seen.queue.counts;
    return std::array<Part<std::int64_t>, 4>{{{"full", counts.refused_full},
                                              {"deadline", counts.refused_deadline},
                                              {"late", counts.refused_late},
                                              {"delay", counts.refused_delay}}};
  });
  AddEach(text, Metric::kModelExpiredInQueueTotal, models,
          [](const Seen& seen) { return seen.queue.counts.expired; });
  AddParts(text, Metric::kModelRunInVainTotal, "cause", models, [](const Seen& seen) {
    return std::array<Part<std::int64_t>, 2>{
        {{"expired", seen.counts.run_expired}, {"cancelled", seen.counts.run_cancelled}}};
  });
  AddEach(text, Metric::kModelWaiting, models, [](const Seen& seen) { return seen.queue.waiting; });
  AddEach(text, Metric::kModelRunning, models, [](const Seen& seen) { return seen.queue.running; });
  AddEach(text, Metric::kModelLeftLoopTotal, models,
          [](const Seen& seen) { return seen.counts.left_loop; });
  AddEach(text, Metric::kModelRunsEndedTotal, models,
          [](const Seen& seen) { return seen.runs_ended; });
  AddParts(text, Metric::kModelServiceSeconds, "part", models, [](const Seen& seen) {
    return std::array<Part<double>, 2>{{{"fixed", seen.service.t0_ns / kNsPerSecond},
                                        {"row", seen.service.ns_per_row / kNsPerSecond}}};
  });
}

void AddElements(PrometheusText& text, const std::vector<Seen>& models) {
  text.Begin(Metric::kModelRaggedElementsTotal);
  for (const Seen& seen : models) {
    if (seen.ragged == nullptr) continue;
    const std::int64_t padding = seen.ragged->padding();
    const std::int64_t own = seen.ragged->elements() - padding;
    text.Add({{"model", seen.model}, {"version", seen.version}, {"part", "own"}}, own);
    text.Add({{"model", seen.model}, {"version", seen.version}, {"part", "padding"}}, padding);
  }
}

}  // namespace

void AddModelMetrics(PrometheusText& text, ModelHost& host) {
  std::vector<Seen> models;
  for (const std::unique_ptr<ModelVersion>& model : host.models().versions()) {
    models.push_back({.model = model->name(),
                      .version = model->version_text(),
                      .prepares = model->pipeline() != nullptr && model->pipeline()->prepares(),
                      .counts = model->Counts(),
                      .queue = host.scheduler().Look(model->queue()),
                      .runs_ended = model->queue().terminated(),
                      .service = model->queue().service_time().Fit(),
                      .cpu_time = model->queue().cpu_time(),
                      .python = model->pipeline() == nullptr ? Transform::Delegated()
                                                             : model->pipeline()->delegated(),
                      .ragged = model->ragged() == nullptr ? nullptr : &model->queue()});
  }
  AddCalls(text, models);
  AddEach(text, Metric::kModelRowsTotal, models, [](const Seen& seen) { return seen.counts.rows; });
  AddStages(text, models);
  AddDurations(text, Metric::kModelCallSeconds, models, &metrics::ModelCounts::total);
  AddDurations(text, Metric::kModelRunSeconds, models, &metrics::ModelCounts::run);
  AddBatchRows(text, models);
  AddElements(text, models);
  AddEach(text, Metric::kModelCpuSecondsTotal, models,
          [](const Seen& seen) { return static_cast<double>(seen.cpu_time) / kNsPerSecond; });
  AddPython(text, models);
  AddQueues(text, models);
}

}  // namespace penstock
