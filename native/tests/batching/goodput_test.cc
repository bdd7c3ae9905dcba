// How much of its capacity a model still delivers in time when it is asked for more, under a
// virtual clock: one client, one deadline for all.
#include <gtest/gtest.h>

#include <span>
#include <vector>

#include "support/virtual_server.h"

namespace penstock {
namespace {

struct Load {
  ServiceLaw law;
  TimeNs deadline = 100 * kMillisecond;
  double multiple = 1;  // of the capacity
  double drift = 0;     // see VirtualServer
};

constexpr Load At(Load load, double multiple) {
  load.multiple = multiple;
  return load;
}

constexpr TimeNs kDuration = 20 * kSecond;

struct Case {
  Load load;
  double goodput_min;
};

void ExpectGoodput(std::span<const Case> cases) {
  for (const auto& [load, goodput_min] : cases) {
    VirtualServer server({load.law}, load.drift);
    const double capacity = load.law.Capacity();
    std::vector<VirtualSource> sources = {
        {.rate = load.multiple * capacity, .deadline = load.deadline}};
    server.Run(sources, kDuration);
    const double goodput = static_cast<double>(sources[0].latencies.size()) /
                           (capacity * static_cast<double>(kDuration));
    SCOPED_TRACE(testing::Message()
                 << "l(b) = " << load.law.t0 << " + " << load.law.per_row << " b ns, up to "
                 << load.law.rows_max << " rows, at " << load.multiple << "x");
    EXPECT_GE(goodput, goodput_min);
    // Where the machine drifts, what was promised just before it slowed down is late. Where it does
    // not, part of a batch that took longer than nearly all.
    const auto answered = static_cast<double>(sources[0].latencies.size());
    EXPECT_LE(static_cast<double>(sources[0].late), (load.drift > 0 ? 0.003 : 0.001) * answered);
  }
}

// A full batch can wait for another: what is lost is what the arrivals cost, at 10x nearly 5 %
// where 64 rows take 41 ms.
TEST(GoodputTest, OfferedMoreThanCapacity_DeliversNearlyAllOfIt) {
  constexpr Load kFew = {
      .law = {.t0 = 4000 * kMicrosecond, .per_row = 1000 * kMicrosecond, .rows_max = 8}};
  constexpr Load kMany = {
      .law = {.t0 = 5600 * kMicrosecond, .per_row = 560 * kMicrosecond, .rows_max = 64}};
  ExpectGoodput(std::vector<Case>{{At(kFew, 2), 0.97},
                                  {At(kFew, 4), 0.95},
                                  {At(kFew, 10), 0.90},
                                  {At(kMany, 2), 0.97},
                                  {At(kMany, 4), 0.95},
                                  {At(kMany, 10), 0.90}});
}

// Promised only what the batch of the moment takes (rows ahead in full batches, then those of its
// own), such a queue would fill until its first have no time for a large batch: 0.63 to 0.67.
// Promised nine tenths of their time, up to 1 % would be late.
TEST(GoodputTest, MachineThatDrifts_StillRunsLargeBatches) {
  constexpr Load kMany = {
      .law = {.t0 = 5600 * kMicrosecond, .per_row = 560 * kMicrosecond, .rows_max = 64},
      .drift = 0.03};
  ExpectGoodput(
      std::vector<Case>{{At(kMany, 2), 0.97}, {At(kMany, 4), 0.96}, {At(kMany, 10), 0.92}});
}

// It cannot: what arrives late in one run makes up the next.
TEST(GoodputTest, DeadlineShorterThanTwoFullBatches_StillRunsLargeOnes) {
  constexpr Load kFlat = {
      .law = {.t0 = 20'000 * kMicrosecond, .per_row = 100 * kMicrosecond, .rows_max = 64},
      .deadline = 50 * kMillisecond};
  constexpr Load kSteep = {
      .law = {.t0 = 5600 * kMicrosecond, .per_row = 560 * kMicrosecond, .rows_max = 64},
      .deadline = 50 * kMillisecond};
  ExpectGoodput(std::vector<Case>{{At(kFlat, 2), 0.80},
                                  {At(kFlat, 4), 0.90},
                                  {At(kFlat, 10), 0.90},
                                  {At(kSteep, 2), 0.78},
                                  {At(kSteep, 4), 0.80},
                                  {At(kSteep, 10), 0.85}});
}

}  // namespace
}  // namespace penstock
