// One request's place in a queue and in a batch. Embedded in the call, so that queueing allocates
// nothing. Filled by the call's loop, then the scheduler's, then the runner's, then the loop's
// again: it is handed on, never shared.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/mailbox.h"
#include "base/status.h"
#include "session/session.h"
#include "tensor/tensor.h"

namespace penstock {

struct Flow;

// What became of an entry's rows. An output that holds as many rows as the entry is its own, any
// other is the batch's.
struct BatchResult {
  Status status;
  // Where the status refuses for want of time or room: when to come back. 0: not said.
  TimeNs retry_after = 0;
  // Shared, because the answers of one batch leave on several loops at their own pace and large
  // ones are sent from this memory.
  std::shared_ptr<const SessionOutputs> outputs;
  std::int64_t first_row = 0;   // of this entry in the outputs
  std::int64_t batch_rows = 1;  // that really ran together
  TimeNs started_at = 0;        // the run of its batch; 0 where there was none
  TimeNs prepared_at = 0;       // it had been turned into what the model takes; else started_at
  TimeNs ended_at = 0;
};

// 1 runs first; what a request or a model's settings may say.
inline constexpr int kPriorityHighest = 1;
inline constexpr int kPriorityLowest = 8;

class QueueEntry : public ListLink<QueueEntry>, public MailboxItem {
 public:
  // One for each of the inputs that clients are told of, in their order, or where `raw` is set one
  // for each of the model's own; alive until the entry is delivered.
  std::span<const TensorView> inputs;
  bool raw = false;
  std::int64_t rows = 1;
  // Of a model that takes rows of any length: RunLength of what they are, or are expected to
  // become. 0: all rows are alike.
  std::int64_t run_length = 0;
  TimeNs deadline = kNever;
  TimeNs enqueued_at = 0;  // its message was there
  TimeNs queued_at = 0;    // decoded and checked: it waits for its run
  int priority = kPriorityHighest;
  // Who asks, for fairness between clients: equal for one address.
  std::uint64_t client = 0;
  // Where the result is delivered, when another thread ran it.
  Mailbox* home = nullptr;
  // True once the scheduler has it. The home loop's alone.
  bool handed_over = false;
  BatchResult result;

  // What it costs to run: its rows, or of a ragged model their elements along the ragged axis.
  // Where queues, admission and service time count rows, they count these.
  std::int64_t work() const { return run_length == 0 ? rows : rows * run_length; }

 protected:
  ~QueueEntry() = default;

 private:
  // Its place in the scheduler's queue, guarded by the scheduler's mutex; null where it waits in
  // none.
  friend class PriorityClass;
  Flow* flow_ = nullptr;
  std::size_t heap_index_ = 0;
  std::uint64_t arrival_ = 0;
};

using EntryList = IntrusiveList<QueueEntry, QueueEntry>;

// What becomes of an entry whose deadline passes in a queue, whichever it is.
inline Status ExpiredWaiting() {
  return DeadlineExceeded("the deadline passed while the request waited");
}

}  // namespace penstock
