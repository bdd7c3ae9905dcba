#include "batching/batch_runner.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "batching/batch_policy.h"
#include "batching/row_cutter.h"
#include "batching/unpadded_outputs.h"

namespace penstock {
namespace {

Status CheckOutputRows(const SessionOutputs& outputs, std::int64_t rows) {
  for (const TensorView& output : outputs.tensors()) {
    if (output.shape.rank() > 0 && output.shape[0] == rows) continue;
    return Internal(StrCat("the model returned an output of shape ", output.shape.ToString(),
                           " for a batch of ", rows, " rows"));
  }
  return {};
}

// What a request sent was held against the declaration before it was queued; this holds what came
// of it. All that gathers the rows relies on it.
Status CheckOneLength(const Ragged& ragged, std::span<const TensorSpec> specs,
                      std::span<const TensorView> tensors) {
  const std::int64_t length = ragged.LengthOf(tensors);
  for (const RaggedInput& input : ragged.inputs) {
    const std::int64_t own = tensors[input.index].shape[input.axis];
    if (own == length) continue;
    return InvalidArgument(StrCat("'", specs[input.index].name, "' of the model becomes ", own,
                                  " long, '", specs[ragged.inputs.front().index].name, "' ", length,
                                  "; they are of one length"));
  }
  return {};
}

void FailAll(std::span<QueueEntry* const> batch, const Status& status) {
  for (QueueEntry* entry : batch) entry->result.status = status;
}

// Of a batch whose rows were brought to `length`, the entry gets what it would have had alone.
void Unpad(const Ragged& ragged, std::int64_t length, QueueEntry& entry) {
  const std::int64_t own = ragged.LengthOf(entry.inputs);
  if (own == length || ragged.outputs.empty()) return;
  BatchResult& result = entry.result;
  const RowRange rows = {.first = result.first_row, .count = entry.rows, .of = result.batch_rows};
  result.outputs = std::make_shared<UnpaddedOutputs>(std::move(result.outputs), ragged, rows, own);
}

}  // namespace

// What was made of the entries may differ in shape, although what was sent did not: each shape is a
// batch of its own then. So is what became so much longer than expected that the others' padding
// would be most of the run.
bool BatchRunner::RunPrepared(BatchQueue& queue, std::span<QueueEntry* const> batch) {
  bool in_one_piece = Prepare(queue, batch);
  prepared_at_ = clock_.Now();
  std::span<QueueEntry*> left = ready_;
  while (!left.empty()) {
    const std::size_t together = PutLikeFirst(left, queue.ragged());
    in_one_piece = in_one_piece && together == left.size();
    in_one_piece = RunHalving(queue, left.first(together)) && in_one_piece;
    left = left.subspan(together);
  }
  work_.arena().Clear();
  return in_one_piece;
}

// Moves those that can share a run with the first entry behind it, the others behind them, each in
// their order. Returns how many share it.
std::size_t BatchRunner::PutLikeFirst(std::span<QueueEntry*> entries, const Ragged* ragged) {
  const std::span<const TensorView> first = entries.front()->inputs;
  others_.clear();
  BatchSum sum;
  std::size_t count = 0;
  for (QueueEntry* entry : entries) {
    BatchSum joined = sum;
    joined.Add(*entry);
    const bool mostly_padding = joined.work() > 2 * joined.own_work;
    if (mostly_padding || !SameRowShape(first, entry->inputs, ragged)) {
      others_.push_back(entry);
      continue;
    }
    sum = joined;
    entries[count++] = entry;
  }
  std::ranges::copy(others_, entries.begin() + static_cast<std::ptrdiff_t>(count));
  return count;
}

// Fills ready_ with the entries whose inputs are the model's own, from now on or from the
// beginning. False: there are none, or it took a second attempt.
bool BatchRunner::Prepare(const BatchQueue& queue, std::span<QueueEntry* const> batch) {
  const std::size_t count = queue.session().inputs().size();
  prepared_.assign(batch.size() * count, {});
  ready_.clear();
  const Result<Together> shared = PrepareTogether(queue, batch);
  if (!shared.ok()) {
    FailAll(batch, shared.status());
    return false;
  }
  const bool one_by_one = shared.value() != Together::kDone;
  // Of a lone entry nothing runs that its time would have to be told from.
  const bool timed = one_by_one && batch.size() > 1;
  TimeNs before = timed ? clock_.Now() : 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    QueueEntry& entry = *batch[i];
    const std::span<TensorView> views = std::span(prepared_).subspan(i * count, count);
    if (!one_by_one) {
      entry.result.status = {};
    } else if (!entry.raw) {
      entry.result.status = queue.pipeline()->Prepare(entry.inputs, work_, views);
    }
    const bool ready = entry.raw || TakePrepared(queue, views, entry);
    if (ready) ready_.push_back(&entry);
    if (!timed) continue;
    const TimeNs now = clock_.Now();
    if (!ready) lost_ += now - before;
    before = now;
  }
  return !ready_.empty() && shared.value() != Together::kFailed;
}

// The entry's inputs are `views`, unless they could not be made or the model cannot take them.
bool BatchRunner::TakePrepared(const BatchQueue& queue, std::span<const TensorView> views,
                               QueueEntry& entry) {
  Status& status = entry.result.status;
  if (!status.ok()) return false;
  if (queue.ragged() != nullptr) {
    status = CheckOneLength(*queue.ragged(), queue.session().inputs(), views);
    if (!status.ok()) return false;
    entry.run_length = RunLength(queue.ragged()->LengthOf(views));
  }
  entry.inputs = views;
  return true;
}

// Fills prepared_ from the whole batch as one. Where that fails, each entry by itself tells whose
// fault it is, unless the failure is final.
Result<BatchRunner::Together> BatchRunner::PrepareTogether(const BatchQueue& queue,
                                                           std::span<QueueEntry* const> batch) {
  if (!queue.pipeline()->shares_preparing()) return Together::kNotTried;
  // Those for the model itself are batched with their like.
  if (batch.size() == 1 || batch.front()->raw) return Together::kNotTried;
  // They would all become as long as the longest, and that is what would be answered.
  if (queue.ragged() != nullptr && !queue.ragged()->outputs.empty()) return Together::kNotTried;
  // What differs in the axis of a ragged input may be here, but these are not the model's inputs.
  const bool alike = std::ranges::all_of(batch, [&batch](const QueueEntry* entry) {
    return SameRowShape(batch.front()->inputs, entry->inputs);
  });
  if (!alike) return Together::kNotTried;
  members_.clear();
  for (const QueueEntry* entry : batch) members_.push_back(entry->inputs);
  const Gathered gathered = gatherer_.Gather(members_, nullptr, work_.arena());
  const std::size_t count = queue.session().inputs().size();
  prepared_batch_.assign(count, {});
  Status status = queue.pipeline()->Prepare(gathered.inputs, work_, prepared_batch_);
  if (status.final()) return status;
  if (!status.ok()) return Together::kFailed;
  for (std::size_t at = 0; at < count; ++at) {
    RowCutter cutter(prepared_batch_[at]);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      prepared_[i * count + at] = cutter.Next(batch[i]->rows);
    }
  }
  return Together::kDone;
}

bool BatchRunner::RunHalving(BatchQueue& queue, std::span<QueueEntry* const> batch) {
  const Status status = RunTogether(queue, batch);
  if (status.ok()) return true;
  if (batch.size() == 1 || status.final()) {
    FailAll(batch, status);
    return false;
  }
  RunHalving(queue, batch.first(batch.size() / 2));
  RunHalving(queue, batch.subspan(batch.size() / 2));
  return false;
}

Result<std::unique_ptr<SessionOutputs>> BatchRunner::RunWatched(BatchQueue& queue,
                                                                std::span<const TensorView> inputs,
                                                                const BatchSum& sum) {
  while (true) {
    watch_.Begin(queue, sum.rows, sum.work());
    Result<std::unique_ptr<SessionOutputs>> ran = queue.session().Run(inputs, watch_.stop());
    watch_.End();
    if (ran.ok()) return ran;
    const RunWatch::Cause cause = watch_.FindCause();
    if (cause == RunWatch::Cause::kMistake) continue;
    if (cause == RunWatch::Cause::kItself) return ran;
    return Internal(StrCat("model '", queue.model(),
                           "': the run took longer than it may (run_timeout_ms) and was ended"))
        .AsFinal();
  }
}

Status BatchRunner::RunTogether(BatchQueue& queue, std::span<QueueEntry* const> batch) {
  const BatchSum sum = SumOf(batch);
  ran_work_ = sum.work();
  const Gathered gathered = Gather(queue, batch);
  Result<std::unique_ptr<SessionOutputs>> ran = RunWatched(queue, gathered.inputs, sum);
  if (ran.ok() && queue.pipeline() != nullptr) {
    ran = queue.pipeline()->Finish(gathered.inputs, std::move(ran).value(), work_);
  }
  if (!ran.ok()) return ran.status();
  const std::shared_ptr<const SessionOutputs> outputs = std::move(ran).value();
  // A lone request gets whatever came; rows of several can only be told apart by their number.
  if (batch.size() > 1) RETURN_IF_ERROR(CheckOutputRows(*outputs, sum.rows));
  const Ragged* const ragged = gathered.padding > 0 ? queue.ragged() : nullptr;
  if (ragged != nullptr) RETURN_IF_ERROR(CheckRaggedOutputs(*outputs, *ragged, gathered.length));
  std::int64_t first_row = 0;
  for (QueueEntry* entry : batch) {
    entry->result = {
        .status = {}, .outputs = outputs, .first_row = first_row, .batch_rows = sum.rows};
    if (ragged != nullptr) Unpad(*ragged, gathered.length, *entry);
    first_row += entry->rows;
  }
  return {};
}

// The batch's inputs as one tensor each.
Gathered BatchRunner::Gather(const BatchQueue& queue, std::span<QueueEntry* const> batch) {
  members_.clear();
  for (const QueueEntry* entry : batch) members_.push_back(entry->inputs);
  arena_.Clear();
  const Gathered gathered = gatherer_.Gather(members_, queue.ragged(), arena_);
  if (queue.ragged() != nullptr) queue.AddElements(gathered.elements, gathered.padding);
  return gathered;
}

}  // namespace penstock
