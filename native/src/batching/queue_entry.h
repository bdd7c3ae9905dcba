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

// What became of an entry's rows.
struct BatchResult {
  Status status;
  // Of the whole batch. Shared, because the answers of one batch leave on several loops at their
  // own pace and large ones are sent from this memory.
  std::shared_ptr<const SessionOutputs> outputs;
  std::int64_t first_row = 0;   // of this entry in the outputs
  std::int64_t batch_rows = 1;  // that really ran together
};

class QueueEntry : public ListLink<QueueEntry>, public MailboxItem {
 public:
  // One for each of the model's inputs, in its order; alive until the entry is delivered.
  std::span<const TensorView> inputs;
  std::int64_t rows = 1;
  TimeNs deadline = kNever;
  TimeNs enqueued_at = 0;
  // Where the result is delivered, when another thread ran it.
  Mailbox* home = nullptr;
  // True once the scheduler has it. The home loop's alone.
  bool handed_over = false;
  BatchResult result;

 protected:
  ~QueueEntry() = default;
};

using EntryList = IntrusiveList<QueueEntry, QueueEntry>;

}  // namespace penstock
