// The entries of one priority in a model's queue. Clients share: the next entry is one of the
// client that has had the fewest rows run, and of that client's the one with the earliest deadline.
// With one client that is earliest deadline first, and without deadlines first come first served.
// Guarded by the scheduler's mutex.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "batching/arrival_rate.h"
#include "batching/call_cost.h"
#include "batching/queue_delay.h"
#include "batching/queue_entry.h"

namespace penstock {

// One client's entries.
struct Flow {
  std::vector<QueueEntry*> heap;  // the earliest deadline in front
  std::int64_t rows_waiting = 0;
  // Rows run, as a virtual time: a client that comes back has no credit for having been away. What
  // its calls cost beside is added as the part of a row that it is.
  double rows_served = 0;
  QueueDelay delay;
  ArrivalRate arrivals;
  ArrivalRate due_arrivals;  // of those with a deadline
  std::size_t active_index = 0;
};

class PriorityClass final {
 public:
  PriorityClass() = default;
  PriorityClass(const PriorityClass&) = delete;
  PriorityClass& operator=(const PriorityClass&) = delete;

  // The client's, or the one that it shares where there are many; stays until the next FlowOf.
  Flow& FlowOf(std::uint64_t client);
  // `flow`: of the entry's client.
  void Push(QueueEntry& entry, Flow& flow);
  void Remove(QueueEntry& entry);
  // The next entry, charged to its client; null where there is none.
  QueueEntry* Pop();
  // An entry that was popped and is not taken after all.
  void PutBack(QueueEntry& entry);
  // An entry that was popped will never run: its client is not charged for it.
  void Forgive(const QueueEntry& entry) {
    FlowOf(entry.client).rows_served -= static_cast<double>(entry.work());
  }
  // A call of the client's has cost as much as so many rows: see call_cost.h.
  void Charge(Flow& flow, double rows, double debt_max) const {
    flow.rows_served = Charged(flow.rows_served, virtual_time_, rows, debt_max);
  }
  // Whether the client asks for less than half of its fair share of `arrival_rate`.
  bool Modest(const Flow& flow, double arrival_rate, TimeNs now) const;

  // Whether no other client waits.
  bool Alone(const Flow& flow) const { return active_.size() == (flow.heap.empty() ? 0 : 1); }

  bool empty() const { return active_.empty(); }
  std::int64_t rows_waiting() const { return rows_waiting_; }
  // Rows that will be run before one of `flow` with this deadline that came now: those of its own
  // with an earlier deadline, and of each other client those whose turn comes before, if it has
  // them. It looks at each of the client's entries, but for kNever, which is behind all of them.
  std::int64_t RowsAhead(const Flow& flow, TimeNs deadline) const;

 private:
  // Clients that are told apart. More of them share.
  static constexpr std::size_t kFlowsMax = 1024;

  void Insert(QueueEntry& entry, Flow& flow);
  static bool RunsBefore(const QueueEntry& a, const QueueEntry& b);
  // Null where there is none yet.
  Flow* Find(std::uint64_t client) const;
  void ForgetIdleFlows();
  void Activate(Flow& flow);
  void Deactivate(Flow& flow);
  void RemoveAt(Flow& flow, std::size_t index);

  std::unordered_map<std::uint64_t, std::unique_ptr<Flow>> flows_;
  std::vector<Flow*> active_;  // those with entries
  std::int64_t rows_waiting_ = 0;
  std::uint64_t arrivals_ = 0;
  double virtual_time_ = 0;     // rows_served of the client that was served last
  std::size_t forget_at_ = 64;  // flows kept without looking for idle ones
};

}  // namespace penstock
