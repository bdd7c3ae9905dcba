// Decides what the compute threads run next, and whether a call may wait for it. Of the models that
// have work and a free instance it is the turn of the one that has had the least compute time, what
// taking in its calls costs included.
// Any thread; one mutex guards all queues, which batches long enough for the pool do not notice.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <random>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "batching/batch_queue.h"
#include "batching/queue_entry.h"

namespace penstock {

class Scheduler final {
 public:
  // `threads`: how many of them will ask for work.
  Scheduler(const Clock& clock, int threads) : clock_(clock), threads_(threads) {}

  // Before any other call; `queue` outlives the scheduler.
  void Add(BatchQueue& queue);

  // What entries that were queued wait for.
  struct Outlook {
    // Until the first of the threads, all of which are busy, is expected to be free; 0: one is.
    TimeNs busy_for = 0;
    bool room_left = true;  // in the queue's next batch
  };
  // Moves entries from `entries` into the queue; what is left there is refused, its result says
  // why: no room, no prospect of an answer in time, or closed.
  Outlook Enqueue(BatchQueue& queue, EntryList& entries);

  // True: the entry was still waiting and is not any more. False: it was taken, and will be
  // delivered.
  bool Remove(BatchQueue& queue, QueueEntry& entry);

  // OK, or why `entry` would be refused now, as in Enqueue: for a call whose message is yet to be
  // received. Nothing is reserved.
  Status Foresee(BatchQueue& queue, QueueEntry& entry);

  struct Taken : BatchQueue::Taken {
    BatchQueue* queue = nullptr;  // null: closed
    TimeNs began = 0;
    std::uint64_t run = 0;  // which of all runs this is
  };
  // Blocks until something is to be run or the scheduler is closed. Done must follow.
  void Next(Taken& taken);
  // The same without blocking. False: nothing is to be run before `wake_at`.
  bool TryNext(TimeNs now, Taken& taken, TimeNs& wake_at);
  // For a thread that would run an entry of its own at once: `taken` is it alone where an instance
  // is free and nobody waits for one. Done must follow. False: nothing has happened.
  bool TryBegin(BatchQueue& queue, QueueEntry& entry, Taken& taken);
  // The batch has run: its instance is free, its time is learned.
  void Done(const Taken& taken);

  // Next returns null and Enqueue refuses from now on; what waits stays for its callers to Remove,
  // or for TakeAll.
  void Close();
  // Everything that waits, in no queue any more: the caller delivers it.
  void TakeAll(std::vector<QueueEntry*>& entries);

  // Of one queue, consistent with each other.
  struct Snapshot {
    QueueCounts counts;
    std::int64_t waiting = 0;  // entries
    std::int64_t running = 0;  // batches
    TimeNs compute_time = 0;   // of all runs that have ended
  };
  Snapshot Look(const BatchQueue& queue);

 private:
  // A queue and what the scheduler knows of it.
  struct Slot {
    BatchQueue* queue = nullptr;
    std::int64_t running = 0;
    TimeNs virtual_time = 0;  // compute time had, without credit for having been idle
    TimeNs compute_time = 0;
  };
  struct Running {
    std::uint64_t run = 0;
    const BatchQueue* queue = nullptr;
    TimeNs began = 0;
    TimeNs expected_end = 0;
  };

  Slot& SlotOf(const BatchQueue& queue);
  void Wake(Slot& slot);
  void Charge(Slot& slot, const QueueEntry& entry);
  bool TakeLocked(TimeNs now, Taken& taken, TimeNs& wake_at);
  void BeginLocked(Slot& slot, TimeNs now, Taken& taken);
  double Jitter();
  Slot* Choose(TimeNs now, TimeNs& wake_at);
  AdmissionFacts Facts(const Slot& slot, TimeNs now) const;
  bool ThreadFree() const { return running_.size() < static_cast<std::size_t>(threads_); }
  TimeNs FirstEndIn(const BatchQueue* of, TimeNs now) const;
  bool Contended(const Slot& slot, TimeNs now) const;

  const Clock& clock_;
  const int threads_;
  std::mutex mu_;
  std::condition_variable work_;
  // The rest is guarded by mu_; the size of slots_ is constant once threads run.
  std::vector<Slot> slots_;
  std::vector<Running> running_;
  std::uint64_t runs_ = 0;
  TimeNs virtual_time_ = 0;  // of the queue that was served last
  std::minstd_rand random_;  // spreads what clients are told; need not be good
  bool closed_ = false;
};

}  // namespace penstock
