// Tables for the pure decisions.
#include "batching/batch_policy.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

#include "support/test_entry.h"

namespace penstock {
namespace {

struct Spec {
  std::int64_t rows = 1;
  std::int64_t columns = 4;
  TimeNs deadline = kNever;
};

struct TakeCase {
  const char* name;
  BatchLimits limits;
  std::vector<Spec> queued;
  std::vector<std::size_t> batch, expired, left;
};

const std::vector<TakeCase> kTakeCases = {
    {"nothing", {true, 8}, {}, {}, {}, {}},
    {"not batchable takes one", {false, 8}, {{}, {}, {}}, {0}, {}, {1, 2}},
    {"up to rows_max", {true, 2}, {{}, {}, {}}, {0, 1}, {}, {2}},
    {"several rows each", {true, 4}, {{2}, {2}, {1}}, {0, 1}, {}, {2}},
    {"a large one is passed over, not split", {true, 4}, {{2}, {3}, {2}}, {0, 2}, {}, {1}},
    {"the first is taken even if too large", {true, 4}, {{9}, {1}}, {0}, {}, {1}},
    {"other shapes keep their place", {true, 8}, {{1, 4}, {1, 5}, {1, 4}}, {0, 2}, {}, {1}},
    {"expired ones go, also behind",
     {true, 8},
     {{1, 4, 5}, {}, {1, 4, 10}, {}},
     {1, 3},
     {0, 2},
     {}},
    {"a deadline in time stays", {true, 8}, {{1, 4, 11}}, {0}, {}, {}},
    {"all expired", {false, 1}, {{1, 4, 1}, {1, 4, 2}}, {}, {0, 1}, {}},
    {"full: those behind are not looked at", {true, 1}, {{}, {1, 4, 5}}, {0}, {}, {1}},
};

TEST(BatchPolicyTest, TakeBatch_Table) {
  for (const TakeCase& test : kTakeCases) {
    SCOPED_TRACE(test.name);
    std::vector<std::unique_ptr<TestEntry>> entries;
    EntryList queue, expired;
    for (const Spec& spec : test.queued) {
      TestEntry& entry = *entries.emplace_back(std::make_unique<TestEntry>());
      entry.AddInput(spec.rows, spec.columns, 0);
      entry.deadline = spec.deadline;
      queue.PushBack(entry);
    }
    const auto indices_of = [&entries](EntryList& list) {
      std::vector<std::size_t> indices;
      while (QueueEntry* entry = list.PopFront()) {
        for (std::size_t i = 0; i < entries.size(); ++i) {
          if (entries[i].get() == entry) indices.push_back(i);
        }
      }
      return indices;
    };
    std::vector<QueueEntry*> batch(3, nullptr);  // cleared first
    TakeBatch(queue, test.limits, /*now=*/10, batch, expired);
    std::vector<std::size_t> taken;
    for (QueueEntry* entry : batch) {
      EXPECT_FALSE(static_cast<ListLink<QueueEntry>*>(entry)->linked());
      for (std::size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].get() == entry) taken.push_back(i);
      }
    }
    EXPECT_EQ(taken, test.batch);
    EXPECT_EQ(indices_of(expired), test.expired);
    EXPECT_EQ(indices_of(queue), test.left);
  }
}

TEST(BatchPolicyTest, SameRowShape_ComparesAllButTheFirst) {
  const auto view = [](const Shape& shape) {
    return TensorView{.dtype = DataType::kFp32, .shape = shape, .data = {}};
  };
  const std::vector<TensorView> a = {view({1, 2, 3}), view({1})};
  EXPECT_TRUE(SameRowShape(a, std::vector<TensorView>{view({7, 2, 3}), view({9})}));
  EXPECT_FALSE(SameRowShape(a, std::vector<TensorView>{view({1, 2, 4}), view({1})}));
  EXPECT_FALSE(SameRowShape(a, std::vector<TensorView>{view({1, 2}), view({1})}));
  EXPECT_FALSE(SameRowShape(a, std::vector<TensorView>{view({1, 2, 3}), view({1, 1})}));
}

}  // namespace
}  // namespace penstock
