// Who gets what when more is asked for than there is: clients of one model, and models of one
// server, under a virtual clock.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "batching/call_cost.h"
#include "support/virtual_server.h"

namespace penstock {
namespace {

// Two full batches just do not fit into what may be promised for kDeadline.
constexpr ServiceLaw kSlow = {
    .t0 = 6000 * kMicrosecond, .per_row = 610 * kMicrosecond, .rows_max = 64};
constexpr TimeNs kDeadline = 100 * kMillisecond;
constexpr TimeNs kDuration = 20 * kSecond;
constexpr std::size_t kEquals = 8;
constexpr double kGreed = 50;

// Eight clients that ask for `demand` of their fair share each, and one that asks for 50 times as
// much. What each got, of the fair share.
std::vector<double> Shares(const ServiceLaw& law, double demand, TimeNs deadline,
                           TimeNs call_cost) {
  VirtualServer server({law}, 0, call_cost);
  const double fair = law.Capacity() / (kEquals + 1);
  std::vector<VirtualSource> sources;
  for (std::size_t i = 0; i <= kEquals; ++i) {
    const double rate = demand * fair * (i == kEquals ? kGreed : 1);
    sources.push_back({.client = i + 1, .rate = rate, .deadline = deadline});
  }
  server.Run(sources, kDuration);
  std::vector<double> shares;
  for (const VirtualSource& source : sources) {
    shares.push_back(static_cast<double>(source.latencies.size()) /
                     (fair * static_cast<double>(kDuration)));
  }
  return shares;
}

TEST(SharingTest, GreedyClientBesideEqualOnes_TakesNothingOfTheirs) {
  for (const TimeNs deadline : {kDeadline, kNever}) {
    for (const double demand : {0.5, 1.2}) {
      SCOPED_TRACE(testing::Message() << "demand " << demand << ", deadline " << deadline);
      const std::vector<double> shares = Shares(kSlow, demand, deadline, 3 * kMicrosecond);
      for (std::size_t i = 0; i < kEquals; ++i) {
        // Arrivals vary by 4 % or so.
        EXPECT_GE(shares[i], demand < 1 ? 0.9 * demand : 0.95) << "client " << i;
      }
      // And what they leave is its.
      const double left = kEquals + 1 - kEquals * std::min(demand, 1.0);
      EXPECT_GE(shares[kEquals], 0.85 * left - 0.85);
    }
  }
}

// As measured where loop and runs share a core. The flood's calls take an eighth of the time; each
// of the others would get 0.87 of its share if that were taken from all alike.
TEST(SharingTest, FloodThatCostsTime_PaysForItsCalls) {
  constexpr ServiceLaw kLaw = {
      .t0 = 5000 * kMicrosecond, .per_row = 550 * kMicrosecond, .rows_max = 64};
  for (const TimeNs deadline : {kDeadline, kNever}) {
    SCOPED_TRACE(deadline);
    const std::vector<double> shares = Shares(kLaw, 1.2, deadline, kCallCost);
    for (std::size_t i = 0; i < kEquals; ++i) EXPECT_GE(shares[i], 0.92) << "client " << i;
    EXPECT_GT(shares[kEquals], 0) << "nobody gets nothing";
  }
}

struct Quiet {
  double goodput = 0;
  TimeNs p99 = 0;
};

// A model at 0.3 of what it can do, while the other gets `storm` times what it can.
Quiet Beside(double storm, TimeNs call_cost = 3 * kMicrosecond) {
  VirtualServer server({kSlow, kSlow}, 0, call_cost);
  std::vector<VirtualSource> sources = {
      {.model = 1, .rate = 0.3 * kSlow.Capacity(), .deadline = kDeadline}};
  if (storm > 0) {
    sources.push_back({.model = 0, .rate = storm * kSlow.Capacity(), .deadline = kDeadline});
  }
  server.Run(sources, kDuration);
  return {.goodput = sources[0].Goodput(), .p99 = sources[0].Percentile(0.99)};
}

TEST(SharingTest, ModelBesideAnOverloadedOne_WaitsForOneOfItsBatches) {
  const Quiet alone = Beside(0);
  const Quiet beside = Beside(10);
  EXPECT_GE(alone.goodput, 0.99);
  EXPECT_GE(beside.goodput, 0.98);
  EXPECT_LE(beside.p99, alone.p99 + kSlow.Duration(kSlow.rows_max));
}

// Calls cost the overloaded model its turns, not the other's.
TEST(SharingTest, ModelBesideACostlyFlood_WaitsForOneOfItsBatches) {
  const Quiet alone = Beside(0, kCallCost);
  const Quiet beside = Beside(10, kCallCost);
  EXPECT_GE(beside.goodput, 0.98);
  EXPECT_LE(beside.p99, alone.p99 + kSlow.Duration(kSlow.rows_max) + 6 * kMillisecond);
}

}  // namespace
}  // namespace penstock
