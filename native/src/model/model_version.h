// One loaded version of a model: what clients may know of it, its session, its queue. Made on the
// control thread, constant afterwards (the queue belongs to the scheduler); read by every loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <penstock/model.h>

#include "base/clock.h"
#include "base/status.h"
#include "batching/scheduler.h"
#include "metrics/model_cells.h"
#include "model/warmup.h"
#include "pipeline/pipeline.h"
#include "session/session.h"
#include "tensor/label_list.h"

namespace penstock {

struct ModelConfig {
  std::string name;
  std::int64_t version = 1;
  WarmupConfig warmup;
  PipelineDeclaration pipeline;
  std::vector<RaggedDeclaration> ragged;
  std::int64_t prepared_bytes_max = 0;  // that a request may become by preprocessing; 0: any
  std::size_t loops = 1;                // that call it
  std::int64_t instance_count = 1;
  std::int64_t queue_size_max = 10'000;
  TimeNs queue_delay_max = 0;
  TimeNs queue_delay_target = 0;
  TimeNs queue_wait_max = 0;
  TimeNs run_timeout = 0;      // 0: by what is expected, see batching/run_watch.h
  TimeNs default_timeout = 0;  // 0: none
  int default_priority = kPriorityHighest;
  OutputLabels labels;
};

class ModelVersion final {
 public:
  // Warms the session up, which says how it is to be run.
  static Result<std::unique_ptr<ModelVersion>> Create(const ModelConfig& config,
                                                      std::unique_ptr<Session> session,
                                                      const Clock& clock);
  ModelVersion(const ModelVersion&) = delete;
  ModelVersion& operator=(const ModelVersion&) = delete;

  const std::string& name() const { return name_; }
  std::int64_t version() const { return version_; }
  const std::string& version_text() const { return version_text_; }
  // What clients send and are answered.
  std::span<const TensorSpec> inputs() const { return inputs_; }
  std::span<const TensorSpec> outputs() const { return outputs_; }
  // The model's own inputs, where a request may name these instead; else empty.
  std::span<const TensorSpec> raw_inputs() const { return raw_inputs_; }
  // What stands between the two; null where clients send what the model takes.
  const Pipeline* pipeline() const { return pipeline_.get(); }
  // Its inputs that differ in length; null where there are none.
  const Ragged* ragged() const { return ragged_.inputs.empty() ? nullptr : &ragged_; }
  // For people: which these are, and what follows them; or why preprocessing's are not. Mostly
  // empty.
  const std::string& ragged_text() const { return ragged_text_; }
  const WarmupReport& warmup() const { return warmup_; }
  bool batchable() const { return warmup_.batchable; }
  // Rows that are grouped into one run at most.
  std::int64_t max_batch_size() const { return warmup_.max_batch_size; }
  // Rows that one request may bring: what the operator set as max_batch_size. Without a setting a
  // longer request runs alone; a limit that was only measured must not refuse anyone.
  std::int64_t request_rows_max() const { return request_rows_max_; }
  // And that one may bring for preprocessing: what they become has a limit, too.
  std::int64_t prepared_rows_max() const { return prepared_rows_max_; }
  // For calls that bring no deadline of their own; 0: they have none.
  TimeNs default_timeout() const { return default_timeout_; }
  // For calls that do not say.
  int default_priority() const { return default_priority_; }
  // For the values of a row of that output; null where the configuration names none.
  const LabelList* labels(std::size_t output) const {
    return labels_.empty() || labels_[output].empty() ? nullptr : &labels_[output];
  }
  Session& session() const { return *session_; }
  BatchQueue& queue() const { return *queue_; }
  // Each loop writes its own.
  metrics::ModelCells& cells(std::size_t loop) const { return cells_[loop]; }
  // Of the calls that came from no loop.
  metrics::SharedModelCells& shared_cells() const { return shared_cells_; }
  // The sums of all. Any thread.
  metrics::ModelCounts Counts() const;
  // Its place in the ModelTable: loops keep arrays by it.
  std::size_t index() const { return index_; }

 private:
  friend class ModelTable;
  ModelVersion() = default;
  Status WarmUpAll(const ModelConfig& config, const Clock& clock);
  Status FindRagged(bool declared, const ProbeReport& probe);
  Status Named(const Status& status) const;

  std::string name_;
  std::int64_t version_ = 0;
  std::string version_text_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<Pipeline> pipeline_;
  Ragged ragged_;
  std::string ragged_text_;
  WarmupReport warmup_;
  // Into the session, the report or the pipeline.
  std::span<const TensorSpec> inputs_;
  std::span<const TensorSpec> outputs_;
  std::span<const TensorSpec> raw_inputs_;
  std::int64_t request_rows_max_ = 0;
  std::int64_t prepared_rows_max_ = 0;
  TimeNs default_timeout_ = 0;
  int default_priority_ = kPriorityHighest;
  std::vector<LabelList> labels_;  // none, or one for each output
  std::unique_ptr<BatchQueue> queue_;
  mutable std::vector<metrics::ModelCells> cells_;
  mutable metrics::SharedModelCells shared_cells_;
  std::size_t index_ = 0;
};

}  // namespace penstock
