// The one door through which other threads reach a loop: a lock-free stack of items that live
// inside their owners, so that posting allocates nothing and never blocks.
#pragma once

#include <atomic>
#include <utility>

namespace penstock {

// What is posted. Deliver runs on the receiving thread; the item is not touched afterwards, so
// Deliver may destroy it.
class MailboxItem {
 public:
  virtual void Deliver() = 0;

 protected:
  ~MailboxItem() = default;

 private:
  friend class Mailbox;
  friend class MailboxChain;
  MailboxItem* next_ = nullptr;
};

// Items collected by one thread, to be posted with one atomic operation and one wake-up.
class MailboxChain final {
 public:
  void Add(MailboxItem& item) {
    item.next_ = newest_;
    newest_ = &item;
    if (oldest_ == nullptr) oldest_ = &item;
  }
  bool empty() const { return newest_ == nullptr; }

 private:
  friend class Mailbox;
  MailboxItem* newest_ = nullptr;
  MailboxItem* oldest_ = nullptr;
};

class Mailbox {
 public:
  virtual ~Mailbox() = default;

  // Any thread. Items of one thread are delivered in the order posted. The chain is emptied.
  void Post(MailboxChain& chain) {
    if (chain.empty()) return;
    MailboxItem* head = newest_.load(std::memory_order_relaxed);
    do {
      chain.oldest_->next_ = head;
      // Release: what the poster wrote into the items is seen by the loop that takes them.
    } while (!newest_.compare_exchange_weak(head, chain.newest_, std::memory_order_release,
                                            std::memory_order_relaxed));
    chain = MailboxChain();
    // Whoever finds it empty wakes the owner; later posters ride on that wake-up.
    if (head == nullptr) Wake();
  }
  void Post(MailboxItem& item) {
    MailboxChain chain;
    chain.Add(item);
    Post(chain);
  }

 protected:
  // Makes the owning thread call DeliverAll soon. Any thread.
  virtual void Wake() = 0;

  // Owning thread only. Returns whether anything was delivered.
  bool DeliverAll() {
    MailboxItem* item = newest_.exchange(nullptr, std::memory_order_acquire);
    MailboxItem* oldest = nullptr;
    while (item != nullptr) {
      MailboxItem* next = std::exchange(item->next_, oldest);
      oldest = item;
      item = next;
    }
    const bool any = oldest != nullptr;
    while (oldest != nullptr) {
      MailboxItem* next = std::exchange(oldest->next_, nullptr);
      oldest->Deliver();
      oldest = next;
    }
    return any;
  }

 private:
  std::atomic<MailboxItem*> newest_{nullptr};
};

}  // namespace penstock
