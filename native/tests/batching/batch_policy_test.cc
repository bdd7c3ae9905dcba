// Tables for the pure decisions.
#include "batching/batch_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>

#include "support/random_source.h"
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

// l(b) = 4 + b; the high quantile of warm-up is a quarter above.
constexpr std::array<BatchDuration, 4> kLine = {
    {{1, 5'000}, {8, 12'000}, {32, 36'000}, {64, 68'000}}};

struct ChoiceCase {
  const char* name;
  std::vector<Candidate> by_deadline;
  std::int64_t rows_max;
  std::size_t given_up, taken;
  bool deadline_bound;
  bool more_wait = false;
};

std::vector<Candidate> Times(std::size_t n, TimeNs deadline, std::int64_t rows = 1) {
  return std::vector<Candidate>(n, {.rows = rows, .deadline = deadline});
}

std::vector<Candidate> Then(std::vector<Candidate> a, const std::vector<Candidate>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(BatchPolicyTest, ChooseBatch_Table) {
  const std::vector<ChoiceCase> cases = {
      {"nothing", {}, 8, 0, 0, false},
      {"no deadlines: all there is", Times(5, kNever), 8, 0, 5, false},
      {"up to rows_max", Times(9, kNever), 8, 0, 8, false},
      {"time enough", Times(9, 1'000'000), 8, 0, 8, false},
      {"a longer one ends the batch", {{.rows = 3}, {.rows = 6}, {.rows = 2}}, 8, 0, 1, false},
      {"more rows than a batch run alone", {{.rows = 20}, {.rows = 1}}, 8, 0, 1, false},
      {"the deadline bounds the batch", Times(8, 12'000), 8, 0, 5, true},
      {"one urgent is worth waiting for", Then(Times(1, 7'000), Times(3, 100'000)), 8, 0, 1, true},
      {"but not where a full batch waits behind", Then(Times(1, 7'000), Times(7, 100'000)), 8, 1, 7,
       false, true},
      {"one urgent before many is given up", Then(Times(1, 7'000), Times(40, 60'000)), 64, 1, 40,
       false},
      {"all are too late", Times(4, 2'000), 8, 0, 0, true},
      {"the late ones are given up", Then(Times(1, 2'000), Times(4, 100'000)), 8, 1, 4, false},
      {"many late ones take nobody with them", Then(Times(5, 2'000), Times(2, 100'000)), 8, 5, 2,
       false},
      {"alone by the mean", Times(1, 5'500), 8, 0, 1, false},
  };
  const ServiceTime service_time(kLine);
  for (const ChoiceCase& test : cases) {
    SCOPED_TRACE(test.name);
    const BatchChoice choice = ChooseBatch(
        test.by_deadline, service_time, {.rows_max = test.rows_max, .more_wait = test.more_wait});
    EXPECT_EQ(choice.taken, test.taken);
    if (test.taken == 0) continue;
    EXPECT_EQ(choice.given_up, test.given_up);
    EXPECT_EQ(choice.deadline_bound, test.deadline_bound);
  }
}

// Against every batch there is: none brings more answers in time for its time, unless it leaves
// time for all others and nobody else waits.
TEST(BatchPolicyTest, ChooseBatch_IsTheBestThereIs) {
  const std::uint64_t seed = RandomSource::Seed(3);
  SCOPED_TRACE(seed);
  RandomSource random(seed);
  const ServiceTime service_time(kLine);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Candidate> candidates(1 + random.Below(12));
    const bool more_wait = random.OneIn(2);
    for (Candidate& candidate : candidates) {
      candidate.deadline = static_cast<TimeNs>(random.Below(40'000));
    }
    std::ranges::sort(candidates, {}, &Candidate::deadline);
    const auto lost = [&](std::size_t given_up) {
      return std::ranges::count_if(std::span(candidates).first(given_up),
                                   [&service_time](const Candidate& candidate) {
                                     return candidate.deadline >= service_time.Predict(1);
                                   });
    };
    const auto rate = [&](std::size_t given_up, std::size_t taken) {
      return (static_cast<double>(taken) - static_cast<double>(lost(given_up))) /
             static_cast<double>(service_time.Predict(static_cast<std::int64_t>(taken)));
    };
    double best = 0;
    for (std::size_t first = 0; first < candidates.size(); ++first) {
      for (std::size_t n = 1; first + n <= candidates.size(); ++n) {
        const TimeNs run = n == 1 ? service_time.Predict(1)
                                  : service_time.PredictHigh(static_cast<std::int64_t>(n));
        if (run <= candidates[first].deadline) best = std::max(best, rate(first, n));
      }
    }
    const BatchChoice choice =
        ChooseBatch(candidates, service_time, {.rows_max = 64, .more_wait = more_wait});
    const double chosen = choice.taken == 0 ? 0 : rate(choice.given_up, choice.taken);
    const std::size_t next = choice.given_up + choice.taken;
    if (!more_wait && choice.taken > 0 && lost(choice.given_up) == 0 && next < candidates.size()) {
      const auto after = static_cast<std::int64_t>(candidates.size() - next);
      const TimeNs both = service_time.PredictHigh(static_cast<std::int64_t>(choice.taken)) +
                          service_time.PredictHigh(after);
      if (both <= candidates[next].deadline) continue;
    }
    EXPECT_NEAR(chosen, best, 1e-9);
  }
}

}  // namespace
}  // namespace penstock
