// Whose entry is next: clients take turns by rows, each client's entries go by deadline.
#include "batching/priority_class.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "support/random_source.h"
#include "support/test_entry.h"

namespace penstock {
namespace {

class PriorityClassTest : public testing::Test {
 protected:
  TestEntry& Push(std::uint64_t client, TimeNs deadline = kNever, std::int64_t rows = 1) {
    TestEntry& entry = *entries_.emplace_back(std::make_unique<TestEntry>());
    entry.client = client;
    entry.deadline = deadline;
    entry.rows = rows;
    entry.enqueued_at = static_cast<TimeNs>(entries_.size());
    waiting_.Push(entry, waiting_.FlowOf(client));
    return entry;
  }
  // Their clients, in the order in which they are popped.
  std::string PopClients(int count) {
    std::string clients;
    for (int i = 0; i < count; ++i) {
      const QueueEntry* entry = waiting_.Pop();
      clients += entry == nullptr ? "-" : std::to_string(entry->client);
    }
    return clients;
  }

  PriorityClass waiting_;
  std::vector<std::unique_ptr<TestEntry>> entries_;
};

TEST_F(PriorityClassTest, OneClient_GoesByDeadlineThenByArrival) {
  const TestEntry& none = Push(1);
  const TestEntry& late = Push(1, 300);
  const TestEntry& soon = Push(1, 100);
  const TestEntry& late_too = Push(1, 300);
  const TestEntry& none_too = Push(1);
  EXPECT_EQ(waiting_.rows_waiting(), 5);
  for (const TestEntry* entry : {&soon, &late, &late_too, &none, &none_too}) {
    EXPECT_EQ(waiting_.Pop(), entry);
  }
  EXPECT_TRUE(waiting_.empty());
  EXPECT_EQ(waiting_.rows_waiting(), 0);
  EXPECT_EQ(waiting_.Pop(), nullptr);
}

TEST_F(PriorityClassTest, Clients_TakeTurnsWhateverTheyQueued) {
  for (int i = 0; i < 50; ++i) Push(9);
  for (int i = 0; i < 3; ++i) Push(1);
  for (int i = 0; i < 3; ++i) Push(2);
  const std::string order = PopClients(9);
  EXPECT_EQ(std::ranges::count(order, '9'), 3);
  EXPECT_EQ(std::ranges::count(order, '1'), 3);
  EXPECT_EQ(std::ranges::count(order, '2'), 3);
  PopClients(47);
}

TEST_F(PriorityClassTest, Turns_CountRowsNotEntries) {
  for (int i = 0; i < 10; ++i) Push(1, kNever, 4);
  for (int i = 0; i < 40; ++i) Push(2, kNever, 1);
  const std::string order = PopClients(25);
  EXPECT_EQ(std::ranges::count(order, '1'), 5);
  EXPECT_EQ(std::ranges::count(order, '2'), 20);
  PopClients(25);
}

TEST_F(PriorityClassTest, ClientThatWasAway_HasNoCredit) {
  Push(2);
  PopClients(1);
  for (int i = 0; i < 20; ++i) Push(1);
  PopClients(10);
  for (int i = 0; i < 10; ++i) Push(2);
  const std::string order = PopClients(10);
  EXPECT_GE(std::ranges::count(order, '1'), 4) << order;
  PopClients(10);
}

TEST_F(PriorityClassTest, PutBack_GivesTheTurnBack) {
  for (int i = 0; i < 4; ++i) Push(1);
  for (int i = 0; i < 4; ++i) Push(2);
  QueueEntry* entry = waiting_.Pop();
  const std::uint64_t first = entry->client;
  waiting_.PutBack(*entry);
  EXPECT_EQ(waiting_.rows_waiting(), 8);
  EXPECT_EQ(waiting_.Pop()->client, first);
  PopClients(7);
}

TEST_F(PriorityClassTest, RowsAhead_IsWhatRunsBefore) {
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(1), kNever), 0);
  for (int i = 0; i < 30; ++i) Push(9, 1000);
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(9), kNever), 30);
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(9), 500), 0) << "earlier than all of its own";
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(1), kNever), 1)
      << "another client's next turn at most";
  for (int i = 0; i < 2; ++i) Push(1, 1000);
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(1), kNever), 2 + 3);
  PopClients(32);
}

TEST_F(PriorityClassTest, CallsThatCost_CountAsRows) {
  for (int i = 0; i < 20; ++i) {
    Push(1);
    Push(2);
  }
  // Half a row for each of its calls, run or not.
  for (int i = 0; i < 20; ++i) waiting_.Charge(waiting_.FlowOf(2), 0.5, 100);
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(1), kNever), 20 + 11) << "ten turns are spent";
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(2), kNever), 20 + 20);
  const std::string order = PopClients(20);
  EXPECT_EQ(std::ranges::count(order, '2'), 5) << order;
  PopClients(20);
}

TEST_F(PriorityClassTest, DebtOfAClient_IsBounded) {
  Push(1);
  PopClients(1);
  for (int i = 0; i < 1000; ++i) waiting_.Charge(waiting_.FlowOf(2), 1, 8);
  for (int i = 0; i < 10; ++i) {
    Push(1);
    Push(2);
  }
  const std::string order = PopClients(12);
  EXPECT_GE(std::ranges::count(order, '2'), 2) << order;
  PopClients(8);
}

TEST_F(PriorityClassTest, RandomRemovals_KeepTheOrder) {
  const std::uint64_t seed = RandomSource::Seed(5);
  SCOPED_TRACE(seed);
  RandomSource random(seed);
  std::vector<TestEntry*> left;
  for (int i = 0; i < 2000; ++i) {
    left.push_back(&Push(1, static_cast<TimeNs>(random.Below(500))));
    if (random.OneIn(2)) {
      const std::size_t index = random.Below(left.size());
      waiting_.Remove(*left[index]);
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(index));
    }
  }
  std::ranges::sort(left, {}, [](const TestEntry* entry) {
    return std::pair(entry->deadline, entry->enqueued_at);
  });
  for (const TestEntry* expected : left) ASSERT_EQ(waiting_.Pop(), expected);
  EXPECT_TRUE(waiting_.empty());
}

TEST_F(PriorityClassTest, VeryManyClients_AreForgottenOrShare) {
  for (std::uint64_t client = 0; client < 5000; ++client) {
    Push(client);
    if (client % 2 == 0) waiting_.Pop();
  }
  EXPECT_EQ(waiting_.rows_waiting(), 2500);
  while (waiting_.Pop() != nullptr) {
  }
  EXPECT_EQ(waiting_.rows_waiting(), 0);
}

TEST_F(PriorityClassTest, ClientThatShares_HasTheOthersRowsAhead) {
  for (std::uint64_t client = 0; client < 1024; ++client) Push(client);
  Push(5000);
  Push(5000);
  EXPECT_EQ(waiting_.RowsAhead(waiting_.FlowOf(5000), kNever), 1023 + 3);
}

}  // namespace
}  // namespace penstock
