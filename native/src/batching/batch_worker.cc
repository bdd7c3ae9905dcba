#include "batching/batch_worker.h"

#include <algorithm>
#include <utility>

namespace penstock {

void PostHome(std::span<QueueEntry* const> entries) {
  struct Post {
    Mailbox* home;
    MailboxChain chain;
  };
  std::vector<Post> posts;
  for (QueueEntry* entry : entries) {
    auto post = std::ranges::find(posts, entry->home, &Post::home);
    if (post == posts.end()) post = posts.insert(posts.end(), {.home = entry->home, .chain = {}});
    post->chain.Add(*entry);
  }
  for (Post& post : posts) post.home->Post(post.chain);
}

namespace {

enum class Teach : std::uint8_t { kYes, kNo };

TimeNs RunTimed(BatchRunner& runner, BatchQueue& queue, std::span<QueueEntry* const> batch,
                TimeNs began, const Clock& clock, Teach teach) {
  const bool in_one_piece = runner.Run(queue, batch);
  const TimeNs ended = clock.Now();
  const TimeNs prepared = std::max(began, runner.prepared_at());
  for (QueueEntry* entry : batch) {
    entry->result.started_at = began;
    entry->result.prepared_at = prepared;
    entry->result.ended_at = ended;
  }
  if (in_one_piece && teach == Teach::kYes) {
    queue.service_time().Observe(runner.work(), ended - began - runner.lost());
  }
  return ended;
}

}  // namespace

TimeNs RunObserved(BatchRunner& runner, BatchQueue& queue, std::span<QueueEntry* const> batch,
                   TimeNs began, const Clock& clock) {
  return RunTimed(runner, queue, batch, began, clock, Teach::kYes);
}

bool BatchWorker::WorkOnce() {
  scheduler_.Next(taken_);
  if (taken_.queue == nullptr) return false;
  PostHome(taken_.refused);
  if (!taken_.batch.empty()) RunBatch();
  scheduler_.Done(taken_);
  PostHome(taken_.batch);
  return true;
}

bool BatchWorker::TryRun(BatchQueue& queue, QueueEntry& entry) {
  if (!scheduler_.TryBegin(queue, entry, taken_)) return false;
  RunBatch();
  scheduler_.Done(taken_);
  return true;
}

void BatchWorker::RunUnasked(BatchQueue& queue, QueueEntry& entry) {
  // Such a run feels what reading the clock twice costs: a sample is enough to learn from.
  constexpr std::uint32_t kObservedEvery = 16;
  QueueEntry* const alone = &entry;
  if (unasked_++ % kObservedEvery != 0) {
    runner_.Run(queue, {&alone, 1});
  } else {
    const TimeNs began = clock_.Now();
    const TimeNs took = RunObserved(runner_, queue, {&alone, 1}, began, clock_) - began;
    queue.AddCpuTime(took * kObservedEvery);
  }
}

void BatchWorker::RunBatch() {
  const TimeNs used = ThreadCpuTime();
  const Teach teach = taken_.queue->runs_on_loops() ? Teach::kNo : Teach::kYes;
  RunTimed(runner_, *taken_.queue, taken_.batch, taken_.began, clock_, teach);
  taken_.queue->AddCpuTime(ThreadCpuTime() - used);
}

}  // namespace penstock
