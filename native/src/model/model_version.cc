#include "model/model_version.h"

#include <limits>
#include <utility>

#include "base/strings.h"

namespace penstock {

Result<std::unique_ptr<ModelVersion>> ModelVersion::Create(const ModelConfig& config,
                                                           std::unique_ptr<Session> session,
                                                           const Clock& clock) {
  std::unique_ptr<ModelVersion> version(new ModelVersion());
  version->name_ = config.name;
  version->version_ = config.version;
  version->version_text_ = StrCat(config.version);
  version->session_ = std::move(session);
  ASSIGN_OR_RETURN(version->warmup_, WarmUp(*version->session_, config.warmup, clock));
  version->request_rows_max_ = config.warmup.max_batch_size > 0
                                   ? config.warmup.max_batch_size
                                   : std::numeric_limits<std::int64_t>::max();
  version->default_timeout_ = config.default_timeout;
  version->default_priority_ = config.default_priority;
  version->queue_ = std::make_unique<BatchQueue>(
      *version->session_, BatchQueue::Options{.model = config.name,
                                              .version = config.version,
                                              .limits = {.batchable = version->batchable(),
                                                         .rows_max = version->max_batch_size()},
                                              .instance_count = config.instance_count,
                                              .size_max = config.queue_size_max,
                                              .delay_max = config.queue_delay_max,
                                              .delay_target = config.queue_delay_target,
                                              .wait_max = config.queue_wait_max,
                                              .run_timeout = config.run_timeout,
                                              .durations = version->warmup_.durations});
  version->cells_ = std::vector<metrics::ModelCells>(config.loops);
  return version;
}

metrics::ModelCounts ModelVersion::Counts() const {
  metrics::ModelCounts counts;
  for (const metrics::ModelCells& cells : cells_) cells.AddTo(counts);
  shared_cells_.AddTo(counts);
  return counts;
}

}  // namespace penstock
