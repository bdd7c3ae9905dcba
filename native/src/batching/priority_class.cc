#include "batching/priority_class.h"

#include <algorithm>
#include <utility>

namespace penstock {

bool PriorityClass::RunsBefore(const QueueEntry& a, const QueueEntry& b) {
  return std::pair(a.deadline, a.arrival_) < std::pair(b.deadline, b.arrival_);
}

void PriorityClass::Push(QueueEntry& entry, Flow& flow) {
  entry.arrival_ = ++arrivals_;
  Insert(entry, flow);
}

void PriorityClass::Insert(QueueEntry& entry, Flow& flow) {
  DCHECK(entry.flow_ == nullptr);
  if (flow.heap.empty()) Activate(flow);
  entry.flow_ = &flow;
  flow.rows_waiting += entry.work();
  rows_waiting_ += entry.work();
  std::size_t hole = flow.heap.size();
  flow.heap.push_back(&entry);
  while (hole > 0) {
    const std::size_t parent = (hole - 1) / 2;
    if (!RunsBefore(entry, *flow.heap[parent])) break;
    flow.heap[hole] = flow.heap[parent];
    flow.heap[hole]->heap_index_ = hole;
    hole = parent;
  }
  flow.heap[hole] = &entry;
  entry.heap_index_ = hole;
}

void PriorityClass::Remove(QueueEntry& entry) {
  DCHECK(entry.flow_ != nullptr);
  Flow& flow = *entry.flow_;
  RemoveAt(flow, entry.heap_index_);
  if (flow.heap.empty()) Deactivate(flow);
}

QueueEntry* PriorityClass::Pop() {
  if (active_.empty()) return nullptr;
  Flow& flow = **std::ranges::min_element(active_, {}, &Flow::rows_served);
  QueueEntry& entry = *flow.heap.front();
  virtual_time_ = std::max(virtual_time_, flow.rows_served);
  flow.rows_served += static_cast<double>(entry.work());
  Remove(entry);
  return &entry;
}

void PriorityClass::PutBack(QueueEntry& entry) {
  Flow& flow = FlowOf(entry.client);
  Insert(entry, flow);
  flow.rows_served -= static_cast<double>(entry.work());
}

bool PriorityClass::Modest(const Flow& flow, double arrival_rate, TimeNs now) const {
  return 2 * flow.arrivals.At(now) * static_cast<double>(active_.size() + 1) < arrival_rate;
}

std::int64_t PriorityClass::RowsAhead(const Flow& flow, TimeNs deadline) const {
  std::int64_t own = flow.rows_waiting;
  if (deadline != kNever) {
    own = 0;
    for (const QueueEntry* entry : flow.heap) {
      if (entry->deadline <= deadline) own += entry->work();
    }
  }
  // When its turn for this entry comes, all others have had theirs up to there.
  const double turn = std::max(flow.rows_served, virtual_time_) + static_cast<double>(own + 1);
  double others = 0;
  for (const Flow* other : active_) {
    if (other == &flow) continue;
    const auto waiting = static_cast<double>(other->rows_waiting);
    others += std::clamp(turn - other->rows_served, 0.0, waiting);
  }
  return own + static_cast<std::int64_t>(others);
}

Flow* PriorityClass::Find(std::uint64_t client) const {
  auto found = flows_.find(client);
  if (found == flows_.end() && flows_.size() >= kFlowsMax) found = flows_.find(client % kFlowsMax);
  return found == flows_.end() ? nullptr : found->second.get();
}

Flow& PriorityClass::FlowOf(std::uint64_t client) {
  if (Flow* const known = Find(client)) return *known;
  if (flows_.size() >= forget_at_) ForgetIdleFlows();
  if (flows_.size() >= kFlowsMax) client %= kFlowsMax;
  std::unique_ptr<Flow>& flow = flows_[client];
  flow = std::make_unique<Flow>();
  return *flow;
}

// Those that would come back as if they were new.
void PriorityClass::ForgetIdleFlows() {
  std::erase_if(flows_, [this](const auto& item) {
    return item.second->heap.empty() && item.second->rows_served <= virtual_time_;
  });
  forget_at_ = std::max<std::size_t>(64, 2 * flows_.size());
}

void PriorityClass::Activate(Flow& flow) {
  flow.rows_served = std::max(flow.rows_served, virtual_time_);
  flow.active_index = active_.size();
  active_.push_back(&flow);
}

void PriorityClass::Deactivate(Flow& flow) {
  active_[flow.active_index] = active_.back();
  active_[flow.active_index]->active_index = flow.active_index;
  active_.pop_back();
}

void PriorityClass::RemoveAt(Flow& flow, std::size_t index) {
  std::vector<QueueEntry*>& heap = flow.heap;
  QueueEntry& removed = *heap[index];
  flow.rows_waiting -= removed.work();
  rows_waiting_ -= removed.work();
  removed.flow_ = nullptr;
  QueueEntry& moved = *heap.back();
  heap.pop_back();
  if (&moved == &removed) return;
  // The last one fills the hole: up as far as it is earlier, then down as far as it is later.
  std::size_t hole = index;
  while (hole > 0 && RunsBefore(moved, *heap[(hole - 1) / 2])) {
    heap[hole] = heap[(hole - 1) / 2];
    heap[hole]->heap_index_ = hole;
    hole = (hole - 1) / 2;
  }
  while (true) {
    std::size_t child = 2 * hole + 1;
    if (child >= heap.size()) break;
    if (child + 1 < heap.size() && RunsBefore(*heap[child + 1], *heap[child])) ++child;
    if (!RunsBefore(*heap[child], moved)) break;
    heap[hole] = heap[child];
    heap[hole]->heap_index_ = hole;
    hole = child;
  }
  heap[hole] = &moved;
  moved.heap_index_ = hole;
}

}  // namespace penstock
