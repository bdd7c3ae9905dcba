#include "batching/scheduler.h"

#include <utility>

namespace penstock {

void Scheduler::Enqueue(BatchQueue& queue, EntryList& entries) {
  {
    const std::lock_guard<std::mutex> lock(mu_);
    while (!closed_ && queue.size_ < queue.options_.size_max) {
      QueueEntry* entry = entries.PopFront();
      if (entry == nullptr) break;
      queue.entries_.PushBack(*entry);
      ++queue.size_;
    }
  }
  work_.notify_one();
}

bool Scheduler::Remove(BatchQueue& queue, QueueEntry& entry) {
  const std::lock_guard<std::mutex> lock(mu_);
  ListLink<QueueEntry>& link = entry;
  if (!link.linked()) return false;
  link.Unlink();
  --queue.size_;
  return true;
}

void Scheduler::Next(Taken& taken) {
  std::unique_lock<std::mutex> lock(mu_);
  taken.queue = nullptr;
  taken.batch.clear();
  taken.expired.clear();
  BatchQueue* queue = nullptr;
  work_.wait(lock, [this, &queue] { return closed_ || (queue = Oldest()) != nullptr; });
  if (closed_) return;
  EntryList expired;
  TakeBatch(queue->entries_, queue->limits(), clock_.Now(), taken.batch, expired);
  while (QueueEntry* entry = expired.PopFront()) taken.expired.push_back(entry);
  queue->size_ -= static_cast<std::int64_t>(taken.batch.size() + taken.expired.size());
  ++queue->running_;
  taken.queue = queue;
  // What is left may be another thread's.
  if (Oldest() != nullptr) work_.notify_one();
}

bool Scheduler::TryBegin(BatchQueue& queue) {
  const std::lock_guard<std::mutex> lock(mu_);
  if (closed_ || !queue.entries_.empty()) return false;
  if (queue.running_ >= queue.options_.instance_count) return false;
  ++queue.running_;
  return true;
}

void Scheduler::Done(BatchQueue& queue) {
  {
    const std::lock_guard<std::mutex> lock(mu_);
    --queue.running_;
    if (queue.entries_.empty()) return;
  }
  work_.notify_one();
}

void Scheduler::Close() {
  {
    const std::lock_guard<std::mutex> lock(mu_);
    closed_ = true;
  }
  work_.notify_all();
}

void Scheduler::TakeAll(std::vector<QueueEntry*>& entries) {
  const std::lock_guard<std::mutex> lock(mu_);
  for (BatchQueue* queue : queues_) {
    while (QueueEntry* entry = queue->entries_.PopFront()) entries.push_back(entry);
    queue->size_ = 0;
  }
}

BatchQueue* Scheduler::Oldest() const {
  BatchQueue* oldest = nullptr;
  TimeNs since = kNever;
  for (BatchQueue* queue : queues_) {
    const QueueEntry* front = queue->entries_.front();
    if (front == nullptr || queue->running_ >= queue->options_.instance_count) continue;
    if (front->enqueued_at >= since) continue;
    oldest = queue;
    since = front->enqueued_at;
  }
  return oldest;
}

}  // namespace penstock
