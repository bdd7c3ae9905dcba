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
  if (unasked_++ % kObservedEvery != 0) {
    QueueEntry* const alone = &entry;
    runner_.Run(queue.session(), {&alone, 1});
    return;
  }
  taken_.batch.assign(1, &entry);
  taken_.rows = entry.rows;
  taken_.queue = &queue;
  taken_.began = clock_.Now();
  RunBatch();
}

void BatchWorker::RunBatch() {
  const bool in_one_piece = runner_.Run(taken_.queue->session(), taken_.batch);
  const TimeNs now = clock_.Now();
  if (in_one_piece) taken_.queue->service_time().Observe(taken_.rows, now - taken_.began);
  for (QueueEntry* entry : taken_.batch) {
    entry->result.started_at = taken_.began;
    entry->result.ended_at = now;
  }
}

}  // namespace penstock
