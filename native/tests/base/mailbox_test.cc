// Posting from several threads: nothing lost, nothing twice, order kept, a wake-up for every
// time the box turns from empty to full.
#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace penstock {
namespace {

class TestMailbox final : public Mailbox {
 public:
  using Mailbox::DeliverAll;
  void Wake() override { wake_.release(); }
  void Wait() { wake_.acquire(); }
  bool TryWait() { return wake_.try_acquire(); }

 private:
  std::counting_semaphore<> wake_{0};
};

struct Item final : MailboxItem {
  void Deliver() override { delivered->push_back(this); }
  std::vector<Item*>* delivered = nullptr;
  std::size_t thread = 0;
  int number = 0;
};

TEST(MailboxTest, PostsAndChains_AreDeliveredInOrder) {
  TestMailbox mailbox;
  std::vector<Item*> delivered;
  std::vector<Item> items(6);
  for (Item& item : items) item.delivered = &delivered;
  EXPECT_FALSE(mailbox.DeliverAll());
  mailbox.Post(items[0]);
  MailboxChain chain;
  EXPECT_TRUE(chain.empty());
  mailbox.Post(chain);  // of nothing: no wake-up
  for (std::size_t i = 1; i < 5; ++i) chain.Add(items[i]);
  mailbox.Post(chain);
  EXPECT_TRUE(chain.empty());
  mailbox.Post(items[5]);
  EXPECT_TRUE(mailbox.TryWait());
  EXPECT_FALSE(mailbox.TryWait()) << "one wake-up serves until the box is emptied";
  EXPECT_TRUE(mailbox.DeliverAll());
  ASSERT_EQ(delivered.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(delivered[i], &items[i]);
  EXPECT_FALSE(mailbox.DeliverAll());
}

struct SelfDestroyingItem final : MailboxItem {
  explicit SelfDestroyingItem(int& count) : count_(count) {}
  void Deliver() override {
    ++count_;
    delete this;
  }
  int& count_;
};

TEST(MailboxTest, Deliver_MayDestroyTheItem) {
  TestMailbox mailbox;
  int count = 0;
  for (int i = 0; i < 3; ++i) mailbox.Post(*new SelfDestroyingItem(count));
  mailbox.DeliverAll();
  EXPECT_EQ(count, 3);
}

struct ReposterItem final : MailboxItem {
  void Deliver() override {
    if (--left > 0) mailbox->Post(*this);
  }
  TestMailbox* mailbox = nullptr;
  int left = 3;
};

TEST(MailboxTest, PostWhileDelivering_WaitsForNextTurn) {
  TestMailbox mailbox;
  ReposterItem item;
  item.mailbox = &mailbox;
  mailbox.Post(item);
  EXPECT_TRUE(mailbox.TryWait());
  EXPECT_TRUE(mailbox.DeliverAll());
  EXPECT_EQ(item.left, 2);
  EXPECT_TRUE(mailbox.TryWait());
  EXPECT_TRUE(mailbox.DeliverAll());
  EXPECT_TRUE(mailbox.DeliverAll());
  EXPECT_EQ(item.left, 0);
  EXPECT_FALSE(mailbox.DeliverAll());
}

TEST(MailboxTest, SeveralThreads_LoseNothingAndKeepTheirOrder) {
  constexpr std::size_t kThreads = 4;
  constexpr std::size_t kItems = 20'000;
  TestMailbox mailbox;
  std::vector<Item*> delivered;
  std::vector<std::vector<Item>> items(kThreads);
  for (std::size_t t = 0; t < kThreads; ++t) {
    items[t] = std::vector<Item>(kItems);
    for (std::size_t i = 0; i < kItems; ++i) {
      items[t][i].delivered = &delivered;
      items[t][i].thread = t;
      items[t][i].number = static_cast<int>(i);
    }
  }
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&mailbox, &mine = items[t], t] {
      for (std::size_t i = 0; i < kItems;) {
        if (t % 2 == 0) {
          mailbox.Post(mine[i++]);
          continue;
        }
        MailboxChain chain;
        for (std::size_t j = 0; j < 7 && i < kItems; ++j) chain.Add(mine[i++]);
        mailbox.Post(chain);
      }
    });
  }
  // A lost wake-up shows as a test that never ends.
  while (delivered.size() < kThreads * kItems) {
    mailbox.Wait();
    mailbox.DeliverAll();
  }
  std::vector<int> next(kThreads, 0);
  for (const Item* item : delivered) ASSERT_EQ(item->number, next[item->thread]++);
}

}  // namespace
}  // namespace penstock
