// What a model can do, found out before it serves: may rows of several requests share a run, how
// many, and is a run short enough for a loop's own thread. The decisions are pure functions; WarmUp
// carries them out on a session. Control thread, blocks for about two seconds at most unless a
// single run takes longer. Knows no files, no requests and no engine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "batching/ragged.h"
#include "batching/service_time.h"
#include "model/batch_probe.h"
#include "pipeline/pipeline.h"
#include "session/session.h"

namespace penstock {

struct WarmupConfig {
  // Rows in one run at most; 0 chooses. A model that is not batchable gets 1 whatever stands here.
  std::int64_t max_batch_size = 0;
  enum class Execution { kAuto, kInline, kPool } execution = Execution::kAuto;
  // False where the session computes on a device: a loop must never wait for one.
  bool runs_on_cpu = true;
  const Ragged* ragged = nullptr;  // inputs that differ in length; null where there are none
  // That a batch may become by preprocessing, or 64 MiB where that is more; 0: any.
  std::int64_t prepared_bytes_max = 0;
};

struct WarmupReport {
  bool batchable = false;
  std::string batchable_reason;  // why not, or why no larger batch; empty where all went well
  std::string probe_note;        // what the probe had to use instead of its first choice, and why
  std::vector<TensorSpec> outputs;  // as declared, with -1 where the model did not keep to it
  std::int64_t max_batch_size = 1;
  // Of a ragged model: the most that is grouped into one run, as QueueEntry::work counts it. That
  // is what `durations` are measured in, then.
  std::int64_t work_max = 1;
  bool run_inline = false;
  bool stays_inline = false;     // whatever becomes of its runs: it was asked for
  std::string execution_reason;  // one sentence, always there
  TimeNs l1_ns = 0;              // a run of one row; 0 where no run succeeded
  TimeNs lmax_ns = 0;            // the largest run that was measured, at most max_batch_size rows
  std::vector<BatchDuration>
      durations;  // the shortest of each, ascending; rows are 1 for a model that is not batchable
};

// INVALID_ARGUMENT for a config out of range. A model that fails every probe is no error: it may
// need inputs that random numbers are not, so it is served unbatched, with the engine's words.
// `pipeline`, where there is one, is part of every run: its time counts.
Result<WarmupReport> WarmUp(Session& session, const ProbeReport& probe, const Pipeline* pipeline,
                            const WarmupConfig& config, const Clock& clock);
Result<WarmupReport> WarmUp(Session& session, const WarmupConfig& config, const Clock& clock);
// PURE. What WarmUp would say of a config out of range.
Status CheckWarmupConfig(const WarmupConfig& config);

// PURE. The smallest batch within 10 % of the best time for each row (DESIGN.md decision 6); 1 for
// no durations.
std::int64_t ChooseMaxBatchSize(std::span<const BatchDuration> durations);

// What is known of a model when its way of running is chosen.
struct ExecutionFacts {
  WarmupConfig::Execution asked = WarmupConfig::Execution::kAuto;
  bool runs_on_cpu = true;
  std::string_view data_dependent_operator;
  bool dims_fixed = true;       // every dimension but the batch
  bool takes_strings = false;   // an input is BYTES
  bool pipeline_brief = true;   // what stands before and behind the model takes microseconds
  std::optional<TimeNs> l1_ns;  // nothing where no run succeeded
};

struct ExecutionChoice {
  bool run_inline = false;
  std::string reason;
};

// PURE. DESIGN.md decision 5.
ExecutionChoice ChooseExecution(const ExecutionFacts& facts);

}  // namespace penstock
