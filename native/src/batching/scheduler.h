// Decides what the compute threads run next: of the models that have work and a free instance, the
// one whose oldest call has waited longest. Any thread; one mutex guards all queues, which batches
// long enough for the pool do not notice.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "batching/batch_policy.h"
#include "batching/queue_entry.h"

namespace penstock {

// The queue of one model version. Its settings are constant; the rest belongs to the Scheduler.
class BatchQueue final {
 public:
  struct Options {
    BatchLimits limits;
    std::int64_t instance_count = 1;  // batches that may run at once
    std::int64_t size_max = 10'000;   // entries that may wait
  };
  BatchQueue(Session& session, const Options& options) : session_(session), options_(options) {}
  ~BatchQueue() { DCHECK(entries_.empty()); }

  Session& session() const { return session_; }
  const BatchLimits& limits() const { return options_.limits; }

 private:
  friend class Scheduler;
  Session& session_;
  const Options options_;
  // Guarded by the Scheduler's mutex.
  EntryList entries_;
  std::int64_t size_ = 0;
  std::int64_t running_ = 0;
};

class Scheduler final {
 public:
  explicit Scheduler(const Clock& clock) : clock_(clock) {}

  // Before any other call; `queue` outlives the scheduler.
  void Add(BatchQueue& queue) { queues_.push_back(&queue); }

  // Moves entries from `entries` into the queue while it has room and the scheduler is open; what
  // is left there is refused.
  void Enqueue(BatchQueue& queue, EntryList& entries);

  // True: the entry was still waiting and is not any more. False: it was taken, and will be
  // delivered.
  bool Remove(BatchQueue& queue, QueueEntry& entry);

  struct Taken {
    BatchQueue* queue = nullptr;     // null: closed
    std::vector<QueueEntry*> batch;  // may be empty when all had expired
    // To be delivered too. In no list: what is linked may still be removed by its own loop.
    std::vector<QueueEntry*> expired;
  };
  // Blocks until something is to be run or the scheduler is closed. Done must follow.
  void Next(Taken& taken);
  // For a thread that would run an entry of its own at once: true where an instance is free and
  // nobody waits for it. Done must follow.
  bool TryBegin(BatchQueue& queue);
  // The batch has run: its instance is free.
  void Done(BatchQueue& queue);

  // Next returns null and Enqueue refuses from now on; what waits stays for its callers to Remove,
  // or for TakeAll.
  void Close();
  // Everything that waits, in no queue any more: the caller delivers it.
  void TakeAll(std::vector<QueueEntry*>& entries);

 private:
  BatchQueue* Oldest() const;

  const Clock& clock_;
  std::vector<BatchQueue*> queues_;  // constant once threads run
  std::mutex mu_;
  std::condition_variable work_;
  bool closed_ = false;  // guarded by mu_
};

}  // namespace penstock
