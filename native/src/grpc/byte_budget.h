// The request bytes that one loop may hold at once. A message's declared length is reserved whole,
// first come first served, before the peer gets window for it: half-received messages can then
// never wait for each other. The loop's thread only.
#pragma once

#include <cstddef>

#include "base/check.h"
#include "base/intrusive_list.h"

namespace penstock::grpc {

// Base of what waits for bytes.
class BudgetWaiter : public ListLink<BudgetWaiter> {
 public:
  virtual std::size_t wanted_bytes() const = 0;
  // The bytes are reserved now.
  virtual void OnReserved() = 0;

 protected:
  ~BudgetWaiter() = default;
};

class ByteBudget final {
 public:
  explicit ByteBudget(std::size_t limit) : limit_(limit) {}

  // False: it does not fit now, or others wait already.
  bool TryReserve(std::size_t bytes) {
    if (!waiters_.empty() || bytes > limit_ - used_) return false;
    used_ += bytes;
    return true;
  }
  // OnReserved follows when its turn comes; unlink the waiter to give up.
  void Wait(BudgetWaiter& waiter) { waiters_.PushBack(waiter); }
  void Release(std::size_t bytes) {
    CHECK_LE(bytes, used_);
    used_ -= bytes;
    while (BudgetWaiter* waiter = waiters_.front()) {
      if (waiter->wanted_bytes() > limit_ - used_) return;
      used_ += waiter->wanted_bytes();
      waiter->Unlink();
      waiter->OnReserved();
    }
  }
  std::size_t used() const { return used_; }

 private:
  const std::size_t limit_;
  std::size_t used_ = 0;
  IntrusiveList<BudgetWaiter, BudgetWaiter> waiters_;
};

}  // namespace penstock::grpc
