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
  for (QueueEntry* entry : taken_.expired) {
    entry->result.status = DeadlineExceeded("the deadline passed while the request waited");
  }
  PostHome(taken_.expired);
  if (!taken_.batch.empty()) runner_.Run(taken_.queue->session(), taken_.batch);
  scheduler_.Done(*taken_.queue);
  PostHome(taken_.batch);
  return true;
}

}  // namespace penstock
