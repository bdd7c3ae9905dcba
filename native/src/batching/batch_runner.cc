#include "batching/batch_runner.h"

#include <cstring>
#include <new>

#include "base/strings.h"

namespace penstock {
namespace {

constexpr std::align_val_t kAlignment{64};

std::int64_t RowsOf(std::span<QueueEntry* const> batch) {
  std::int64_t rows = 0;
  for (const QueueEntry* entry : batch) rows += entry->rows;
  return rows;
}

// Kernels may read whole elements; a request's bytes can stand anywhere.
bool Aligned(const TensorView& view) {
  const std::size_t size = DataTypeSize(view.dtype);
  return size == 0 || reinterpret_cast<std::uintptr_t>(view.data.data()) % size == 0;
}

Status CheckOutputRows(const SessionOutputs& outputs, std::int64_t rows) {
  for (const TensorView& output : outputs.tensors()) {
    if (output.shape.rank() > 0 && output.shape[0] == rows) continue;
    return Internal(StrCat("the model returned an output of shape ", output.shape.ToString(),
                           " for a batch of ", rows, " rows"));
  }
  return {};
}

}  // namespace

void BatchRunner::Scratch::Free::operator()(std::byte* memory) const {
  ::operator delete(memory, kAlignment);
}

std::span<std::byte> BatchRunner::Scratch::Get(std::size_t size) {
  if (size > capacity_) {
    memory_.reset(static_cast<std::byte*>(::operator new(size, kAlignment)));
    capacity_ = size;
  }
  return {memory_.get(), size};
}

bool BatchRunner::Run(BatchQueue& queue, std::span<QueueEntry* const> batch) {
  const Status status = RunTogether(queue, batch);
  if (status.ok()) return true;
  if (batch.size() == 1 || told_to_end_) {
    for (QueueEntry* entry : batch) entry->result.status = status;
    return false;
  }
  Run(queue, batch.first(batch.size() / 2));
  Run(queue, batch.subspan(batch.size() / 2));
  return false;
}

Result<std::unique_ptr<SessionOutputs>> BatchRunner::RunWatched(BatchQueue& queue,
                                                                std::span<const TensorView> inputs,
                                                                std::int64_t rows) {
  while (true) {
    watch_.Begin(queue, rows);
    Result<std::unique_ptr<SessionOutputs>> ran = queue.session().Run(inputs, watch_.stop());
    watch_.End();
    if (ran.ok()) return ran;
    const RunWatch::Cause cause = watch_.FindCause();
    if (cause == RunWatch::Cause::kMistake) continue;
    told_to_end_ = cause == RunWatch::Cause::kToldToEnd;
    if (!told_to_end_) return ran;
    return Internal(StrCat("model '", queue.model(),
                           "': the run took longer than it may (run_timeout_ms) and was ended"));
  }
}

Status BatchRunner::RunTogether(BatchQueue& queue, std::span<QueueEntry* const> batch) {
  const std::int64_t rows = RowsOf(batch);
  told_to_end_ = false;
  Result<std::unique_ptr<SessionOutputs>> ran = RunWatched(queue, Gather(batch), rows);
  if (!ran.ok()) return ran.status();
  const std::shared_ptr<const SessionOutputs> outputs = std::move(ran).value();
  // A lone request gets whatever came; rows of several can only be told apart by their number.
  if (batch.size() > 1) RETURN_IF_ERROR(CheckOutputRows(*outputs, rows));
  std::int64_t first_row = 0;
  for (QueueEntry* entry : batch) {
    entry->result = {.status = {}, .outputs = outputs, .first_row = first_row, .batch_rows = rows};
    first_row += entry->rows;
  }
  return {};
}

// The batch's inputs as one tensor each: in place where there is only one request.
std::span<const TensorView> BatchRunner::Gather(std::span<QueueEntry* const> batch) {
  const std::span<const TensorView> first = batch.front()->inputs;
  inputs_.assign(first.begin(), first.end());
  if (scratch_.size() < first.size()) scratch_.resize(first.size());
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    TensorView& gathered = inputs_[i];
    if (batch.size() == 1 && Aligned(gathered)) continue;
    std::size_t size = 0;
    std::int64_t rows = 0;
    for (const QueueEntry* entry : batch) {
      size += entry->inputs[i].data.size();
      if (batch.size() > 1) rows += entry->inputs[i].shape[0];
    }
    const std::span<std::byte> memory = scratch_[i].Get(size);
    std::byte* to = memory.data();
    for (const QueueEntry* entry : batch) {
      const std::span<const std::byte> data = entry->inputs[i].data;
      if (!data.empty()) std::memcpy(to, data.data(), data.size());
      to += data.size();
    }
    gathered.data = memory;
    if (batch.size() > 1) gathered.shape.Set(0, rows);
  }
  return inputs_;
}

}  // namespace penstock
