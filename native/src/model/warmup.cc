// Probe, measure, decide, in this order.
#include "model/warmup.h"

#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "batching/run_place.h"
#include "model/batch_probe.h"
#include "model/ragged_inputs.h"

namespace penstock {
namespace {

// DESIGN.md decision 6: above this the time for each row falls no further on any model measured.
constexpr std::int64_t kBatchSizeMax = 128;
// The batch sizes that are tried when none is configured stay below this many bytes of input: the
// engine's own memory is a multiple of it.
constexpr std::int64_t kBatchBytesMax = std::int64_t{64} << 20;
// Of what is configured, larger sizes than this are not warmed.
constexpr std::int64_t kWarmBytesMax = std::int64_t{1} << 30;
// An operator may ask for more than is tried, but not for what no machine can hold.
constexpr std::int64_t kBatchSizeConfigMax = 1 << 20;

// Short runs are repeated, since the least of several is what an idle core needs.
constexpr int kRunsMax = 20;
constexpr TimeNs kTimePerSize = 150 * kMillisecond;
constexpr TimeNs kTimeTotal = 1500 * kMillisecond;
// A run this long shows no gain from a larger batch that would be worth waiting for.
constexpr TimeNs kLongRun = 200 * kMillisecond;

// Powers of two up to `limit`, and `limit`.
std::vector<std::int64_t> BatchSizes(std::int64_t limit) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 1; size < limit; size *= 2) sizes.push_back(size);
  sizes.push_back(limit);
  return sizes;
}

// What is warmed up and timed: a session, and what stands before and behind it.
struct Subject {
  Session& session;
  const Pipeline* pipeline = nullptr;
  const Ragged* ragged = nullptr;
};

// A run of the model and of what stands behind it.
Status RunOnce(const Subject& subject, std::span<const TensorView> inputs, PipelineWork& work) {
  Result<std::unique_ptr<SessionOutputs>> outputs = subject.session.Run(inputs);
  if (!outputs.ok() || subject.pipeline == nullptr) return outputs.status();
  return subject.pipeline->Finish(inputs, std::move(outputs).value(), work).status();
}

// The least of several calls of `run`: the first one pays for memory, others for interruptions.
template <typename Run>
Result<TimeNs> Least(const Clock& clock, const Run& run) {
  const TimeNs start = clock.Now();
  TimeNs before = start;
  TimeNs least = kNever;
  for (int i = 0; i < kRunsMax; ++i) {
    RETURN_IF_ERROR(run());
    const TimeNs now = clock.Now();
    least = std::min(least, now - before);
    before = now;
    if (now - start >= kTimePerSize) break;
  }
  return least;
}

// What it takes to prepare a typical row; 0 where none is known, or where it is refused.
TimeNs MeasurePrepare(const Subject& subject, const Clock& clock) {
  if (subject.pipeline == nullptr || !subject.pipeline->prepares()) return 0;
  PipelineWork sampled;
  const std::vector<TensorView> row = subject.pipeline->SampleRow(sampled);
  if (row.empty()) return 0;
  PipelineWork work;
  std::vector<TensorView> prepared(subject.session.inputs().size());
  const Result<TimeNs> least = Least(clock, [&]() -> Status {
    work.arena().Clear();
    return subject.pipeline->Prepare(row, work, prepared);
  });
  return least.ok() ? least.value() : 0;
}

// Rows that may stand prepared in a thread's memory at once.
std::int64_t PreparedRowsMax(const WarmupConfig& config, const Pipeline* pipeline) {
  const bool bounded = pipeline != nullptr && pipeline->prepares() && config.prepared_bytes_max > 0;
  if (!bounded) return std::numeric_limits<std::int64_t>::max();
  return pipeline->RowsWithin(std::max(config.prepared_bytes_max, kBatchBytesMax));
}

// Says in the report why it is less than what is configured, where it is.
std::int64_t LargestBatch(const WarmupConfig& config, const Pipeline* pipeline,
                          std::int64_t row_bytes, WarmupReport& report) {
  if (!report.batchable) return 1;
  const std::int64_t prepared = PreparedRowsMax(config, pipeline);
  if (config.max_batch_size > prepared) {
    report.batchable_reason =
        StrCat("max_batch_size is ", config.max_batch_size, ", but ", prepared,
               prepared == 1 ? " row becomes" : " rows become",
               " by preprocessing as much as a batch may hold: max_message_bytes, 64 MiB at least");
  }
  if (config.max_batch_size > 0) return std::min(config.max_batch_size, prepared);
  std::int64_t size = kBatchSizeMax;
  while (size > 1 && (size > kBatchBytesMax / row_bytes || size > prepared)) size /= 2;
  return size;
}

struct RunSize {
  std::int64_t rows = 1;
  std::int64_t length = 0;  // of ragged inputs; 0: there are none

  std::int64_t work() const { return length == 0 ? rows : rows * length; }
};

// More rows first; then, of ragged inputs, longer ones: what a run takes goes by both.
std::vector<RunSize> RunSizes(std::int64_t rows_max, bool ragged) {
  constexpr std::int64_t kLengthMax = 4096;
  std::vector<RunSize> sizes;
  for (const std::int64_t rows : BatchSizes(rows_max)) {
    sizes.push_back({.rows = rows, .length = ragged ? kRunLengthMin : 0});
  }
  for (std::int64_t length = 2 * kRunLengthMin; ragged && length <= kLengthMax; length *= 2) {
    sizes.push_back({.rows = rows_max, .length = length});
  }
  return sizes;
}

// Warms sizes up to `largest` until time is up, and fills durations. Returns the most rows that may
// be used: `largest`, or those of the last size that ran where a larger one failed.
std::int64_t Measure(const Subject& subject, ProbeInputs::Recipe recipe, std::int64_t largest,
                     const Clock& clock, WarmupReport& report) {
  Session& session = subject.session;
  PipelineWork work;
  const TimeNs prepare = MeasurePrepare(subject, clock);
  const TimeNs start = clock.Now();
  std::int64_t rows = 1;
  for (const RunSize& size : RunSizes(largest, subject.ragged != nullptr)) {
    const std::vector<TensorSpec> specs = WithLength(session.inputs(), subject.ragged, size.length);
    const std::int64_t row_bytes = std::max<std::int64_t>(1, ProbeRowBytes(specs, recipe));
    if (size.rows > 1 && size.rows > kWarmBytesMax / row_bytes) break;
    const ProbeInputs inputs(specs, recipe, size.rows);
    const Result<TimeNs> duration =
        Least(clock, [&] { return RunOnce(subject, inputs.views(), work); });
    if (!duration.ok() && size.length > kRunLengthMin) break;  // longer than the model takes
    if (!duration.ok()) {
      report.batchable_reason = StrCat("a run of ", size.rows, size.rows == 1 ? " row" : " rows",
                                       " fails: ", duration.status().message());
      return rows;
    }
    rows = size.rows;
    report.durations.emplace_back(size.work(), duration.value() + size.rows * prepare);
    if (duration.value() > kLongRun || clock.Now() - start >= kTimeTotal) break;
  }
  return largest;
}

// Of a ragged model: how much of what may be grouped is worth it, and the rows that come with it.
void LimitWork(const WarmupConfig& config, const Pipeline* pipeline, WarmupReport& report) {
  report.work_max = std::max(ChooseMaxBatchSize(report.durations), kRunLengthMin);
  if (config.max_batch_size > 0) {
    report.work_max = std::max(report.work_max, report.max_batch_size * kRunLengthMin);
  } else {
    // Rows are as long as they are said to be; what they become is bounded by their number alone.
    report.max_batch_size = std::clamp<std::int64_t>(report.work_max / kRunLengthMin, 1,
                                                     PreparedRowsMax(config, pipeline));
  }
}

bool DimsFixed(const Session& session, bool batchable) {
  return std::ranges::all_of(session.inputs(), [batchable](const TensorSpec& spec) {
    const std::span<const std::int64_t> dims = spec.shape.dims();
    const std::size_t skipped = batchable && !dims.empty() ? 1 : 0;
    return std::ranges::all_of(dims.subspan(skipped), [](std::int64_t dim) { return dim >= 0; });
  });
}

// "3.7 us", for a reason that people read.
std::string Microseconds(TimeNs duration) {
  return StrCat(duration / kMicrosecond, ".", duration % kMicrosecond / 100, " us");
}

}  // namespace

std::int64_t ChooseMaxBatchSize(std::span<const BatchDuration> durations) {
  if (durations.empty()) return 1;
  double best = 0;
  for (const auto& [rows, duration] : durations) {
    const double per_row = static_cast<double>(duration) / static_cast<double>(rows);
    if (best == 0 || per_row < best) best = per_row;
  }
  for (const auto& [rows, duration] : durations) {
    if (static_cast<double>(duration) <= 1.1 * best * static_cast<double>(rows)) return rows;
  }
  return durations.back().first;  // not reached: the best itself is within 10 %
}

ExecutionChoice ChooseExecution(const ExecutionFacts& facts) {
  using Execution = WarmupConfig::Execution;
  if (!facts.runs_on_cpu)
    return {false, "the model runs on a device, which a loop never waits for"};
  if (!facts.pipeline_brief) {
    return {false, "what stands before or behind the model takes as long as what is sent makes it"};
  }
  if (facts.asked == Execution::kPool) return {false, "execution: pool is configured"};
  if (facts.asked == Execution::kInline) {
    std::string reason = "execution: inline is configured";
    if (facts.l1_ns.has_value() && *facts.l1_ns > kInlineRunMax) {
      reason += StrCat(", although a run of one row takes ", Microseconds(*facts.l1_ns));
    }
    return {true, reason};
  }
  if (!facts.data_dependent_operator.empty()) {
    return {false, StrCat("the graph holds ", facts.data_dependent_operator,
                          ", whose cost depends on the data")};
  }
  if (!facts.dims_fixed) {
    return {false, "an input has a free dimension that is no batch, so its cost is not known"};
  }
  if (facts.takes_strings) {
    return {false, "an input takes strings of any length, so its cost is not known"};
  }
  if (!facts.l1_ns.has_value()) return {false, "no run of the warm-up succeeded"};
  const std::string measured = StrCat("a run of one row takes ", Microseconds(*facts.l1_ns));
  const std::string limit = Microseconds(kInlineRunMax);
  if (*facts.l1_ns > kInlineRunMax) return {false, StrCat(measured, ", more than ", limit)};
  return {true, StrCat(measured, ", at most ", limit)};
}

Status CheckWarmupConfig(const WarmupConfig& config) {
  if (config.max_batch_size < 0 || config.max_batch_size > kBatchSizeConfigMax) {
    return InvalidArgument(StrCat("max_batch_size is ", config.max_batch_size,
                                  ", it must be 0 (choose) to ", kBatchSizeConfigMax));
  }
  return {};
}

Result<WarmupReport> WarmUp(Session& session, const WarmupConfig& config, const Clock& clock) {
  RETURN_IF_ERROR(CheckWarmupConfig(config));
  return WarmUp(session, ProbeBatching(session), nullptr, config, clock);
}

Result<WarmupReport> WarmUp(Session& session, const ProbeReport& probe, const Pipeline* pipeline,
                            const WarmupConfig& config, const Clock& clock) {
  RETURN_IF_ERROR(CheckWarmupConfig(config));
  WarmupReport report;
  report.batchable = probe.batchable;
  report.batchable_reason = probe.reason;
  report.probe_note = probe.note;
  report.outputs = ServedOutputs(session.outputs(), probe);
  if (probe.accepted) {
    const std::int64_t row_bytes =
        std::max<std::int64_t>(1, ProbeRowBytes(session.inputs(), probe.recipe));
    const std::int64_t usable =
        Measure({.session = session, .pipeline = pipeline, .ragged = config.ragged}, probe.recipe,
                LargestBatch(config, pipeline, row_bytes, report), clock, report);
    const bool chosen = config.max_batch_size == 0;
    report.max_batch_size = chosen ? ChooseMaxBatchSize(report.durations) : usable;
    report.work_max = report.max_batch_size;
    if (config.ragged != nullptr) LimitWork(config, pipeline, report);
  }
  if (!report.durations.empty()) report.l1_ns = report.durations.front().second;
  for (const auto& [rows, duration] : report.durations) {
    if (rows <= report.work_max) report.lmax_ns = duration;
  }
  ExecutionChoice choice = ChooseExecution({
      .asked = config.execution,
      .runs_on_cpu = config.runs_on_cpu,
      .data_dependent_operator = session.data_dependent_operator(),
      .dims_fixed = DimsFixed(session, report.batchable),
      .takes_strings = std::ranges::any_of(
          session.inputs(), [](const TensorSpec& spec) { return spec.dtype == DataType::kBytes; }),
      .pipeline_brief = pipeline == nullptr || pipeline->brief(),
      .l1_ns = report.durations.empty() ? std::nullopt : std::optional(report.l1_ns),
  });
  report.run_inline = choice.run_inline;
  report.stays_inline = config.execution == WarmupConfig::Execution::kInline;
  report.execution_reason = std::move(choice.reason);
  return report;
}

}  // namespace penstock
