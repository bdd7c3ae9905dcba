#include "model/model_version.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "model/batch_probe.h"
#include "model/ragged_inputs.h"
#include "tensor/spec_names.h"

namespace penstock {
namespace {

// The values of a row, where the model fixes them.
std::optional<std::int64_t> RowWidth(const TensorSpec& spec, bool batchable) {
  Shape row;
  for (std::size_t i = batchable ? 1 : 0; i < spec.shape.rank(); ++i) row.Append(spec.shape[i]);
  return row.ElementCount();
}

// `given` in the order of the outputs; INVALID_ARGUMENT where they do not fit them.
Result<std::vector<LabelList>> BindLabels(const OutputLabels& given,
                                          std::span<const TensorSpec> outputs, bool batchable) {
  std::vector<LabelList> labels;
  if (given.empty()) return labels;
  labels.resize(outputs.size());
  for (const auto& [output, texts] : given) {
    const auto found = std::ranges::find(outputs, output, &TensorSpec::name);
    if (found == outputs.end()) {
      return InvalidArgument(
          StrCat("labels: the model has no output '", output, "'; it gives ", NamesOf(outputs)));
    }
    const std::optional<std::int64_t> width = RowWidth(*found, batchable);
    const auto count = static_cast<std::int64_t>(texts.size());
    if (width.has_value() && *width != count) {
      return InvalidArgument(StrCat("labels.", output, ": ", count,
                                    " labels for an output of shape ", found->shape.ToString(),
                                    "; one for each of a row's ", *width, " values is expected"));
    }
    labels[static_cast<std::size_t>(found - outputs.begin())] = LabelList(texts);
  }
  return labels;
}

}  // namespace

Result<std::unique_ptr<ModelVersion>> ModelVersion::Create(const ModelConfig& config,
                                                           std::unique_ptr<Session> session,
                                                           const Clock& clock) {
  std::unique_ptr<ModelVersion> version(new ModelVersion());
  version->name_ = config.name;
  version->version_ = config.version;
  version->version_text_ = StrCat(config.version);
  version->session_ = std::move(session);
  RETURN_IF_ERROR(version->WarmUpAll(config, clock));
  version->default_timeout_ = config.default_timeout;
  version->default_priority_ = config.default_priority;
  version->queue_ = std::make_unique<BatchQueue>(
      *version->session_,
      BatchQueue::Options{.model = config.name,
                          .version = config.version,
                          .limits = {.batchable = version->batchable(),
                                     .rows_max = version->max_batch_size(),
                                     .ragged = version->ragged(),
                                     .ragged_work_max = version->warmup_.work_max},
                          .instance_count = config.instance_count,
                          .size_max = config.queue_size_max,
                          .delay_max = config.queue_delay_max,
                          .delay_target = config.queue_delay_target,
                          .wait_max = config.queue_wait_max,
                          .run_timeout = config.run_timeout,
                          .durations = version->warmup_.durations,
                          .pipeline = version->pipeline_.get()});
  ASSIGN_OR_RETURN(version->labels_,
                   BindLabels(config.labels, version->outputs(), version->batchable()));
  version->cells_ = std::vector<metrics::ModelCells>(config.loops);
  return version;
}

Status ModelVersion::Named(const Status& status) const {
  if (status.ok()) return status;
  return status.Under(StrCat("model '", name_, "': "));
}

// Proves what was declared, or else what preprocessing would have.
Status ModelVersion::FindRagged(bool declared, const ProbeReport& probe) {
  if (!declared && pipeline_ != nullptr) ragged_ = RaggedOf(*pipeline_, session_->inputs());
  if (ragged() == nullptr) return {};
  if (probe.batchable) {
    ProbeInputs::Recipe recipe = probe.recipe;
    recipe.ones = MasksOf(ragged_);
    const Status proven = ProveRagged(*session_, pipeline_.get(), recipe, ragged_);
    if (!proven.ok() && declared) return Named(proven);
    if (!proven.ok()) {
      ragged_ = {};
      ragged_text_ = StrCat("nothing: ", proven.message());
      return {};
    }
  }
  ragged_text_ = DescribeRagged(ragged_, session_->inputs(),
                                pipeline_ == nullptr ? session_->outputs() : pipeline_->outputs());
  return {};
}

// The probe says what the model gives, which the pipeline is held against; then both are timed.
Status ModelVersion::WarmUpAll(const ModelConfig& config, const Clock& clock) {
  constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
  RETURN_IF_ERROR(CheckWarmupConfig(config.warmup));
  Result<Ragged> resolved = ResolveRagged(config.ragged, session_->inputs());
  if (!resolved.ok()) return Named(resolved.status());
  ragged_ = std::move(resolved).value();
  const ProbeReport probe = ProbeBatching(*session_, MasksOf(ragged_));
  if (!config.pipeline.empty()) {
    Result<std::unique_ptr<Pipeline>> made = Pipeline::Create(
        config.pipeline, session_->inputs(), ServedOutputs(session_->outputs(), probe));
    if (!made.ok()) return Named(made.status());
    pipeline_ = std::move(made).value();
  }
  RETURN_IF_ERROR(FindRagged(!config.ragged.empty(), probe));
  WarmupConfig warmup = config.warmup;
  warmup.ragged = ragged();
  warmup.prepared_bytes_max = config.prepared_bytes_max;
  ASSIGN_OR_RETURN(warmup_, WarmUp(*session_, probe, pipeline_.get(), warmup, clock));
  inputs_ = pipeline_ == nullptr ? session_->inputs() : pipeline_->inputs();
  outputs_ = pipeline_ == nullptr ? warmup_.outputs : pipeline_->outputs();
  if (pipeline_ != nullptr && pipeline_->allow_raw()) raw_inputs_ = session_->inputs();
  request_rows_max_ = config.warmup.max_batch_size > 0 ? config.warmup.max_batch_size : kAll;
  const bool bounded =
      pipeline_ != nullptr && pipeline_->prepares() && config.prepared_bytes_max > 0;
  prepared_rows_max_ = bounded ? pipeline_->RowsWithin(config.prepared_bytes_max) : kAll;
  return {};
}

metrics::ModelCounts ModelVersion::Counts() const {
  metrics::ModelCounts counts;
  for (const metrics::ModelCells& cells : cells_) cells.AddTo(counts);
  shared_cells_.AddTo(counts);
  return counts;
}

}  // namespace penstock
