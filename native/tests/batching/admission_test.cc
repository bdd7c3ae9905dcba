// Tables for the promise of an answer, and for the queue that does not drain.
#include "batching/admission.h"

#include <gtest/gtest.h>

#include <array>

#include "batching/queue_delay.h"

namespace penstock {
namespace {

// l(b) = 4 ms + b * 1 ms; the high quantile of warm-up is a quarter above.
constexpr std::array<BatchDuration, 2> kLine = {{{1, 5 * kMillisecond}, {8, 12 * kMillisecond}}};

TimeNs FinishMs(const AdmissionFacts& facts, TimeNs deadline_ms = 1000) {
  return PredictAnswer(facts, deadline_ms * kMillisecond, ServiceTime(kLine)).finish / kMillisecond;
}

TEST(AdmissionTest, PredictFinish_Table) {
  EXPECT_EQ(FinishMs({.rows_max = 8}), 6) << "an idle model: its own run, at the high quantile";
  EXPECT_EQ(FinishMs({.rows_max = 8, .free_in = 3 * kMillisecond}), 9);
  EXPECT_EQ(FinishMs({.rows_ahead = 7, .rows_max = 8}), 15) << "those ahead share its batch";
  EXPECT_EQ(FinishMs({.rows_ahead = 8, .rows_max = 8}), 12 + 15) << "a batch before its own";
  EXPECT_EQ(FinishMs({.rows_ahead = 16, .rows_max = 8, .servers = 2}), 12 + 15);
  EXPECT_EQ(FinishMs({.rows_ahead = 8, .rows_max = 8, .servers = 0.5}), 24 + 15);
  EXPECT_EQ(FinishMs({.now = 100 * kMillisecond, .rows_max = 8}), 106);
}

TEST(AdmissionTest, PredictFinish_CountsBatchesThatCanWaitForOneAnother) {
  constexpr TimeNs kSoon = 1 * kMillisecond;
  // Two of eight rows need 2 * 15 ms at the high quantile: more than 0.9 * 30 ms; two of six fit.
  EXPECT_EQ(FinishMs({.rows_ahead = 6, .rows_max = 8, .free_in = kSoon}, 30), 1 + 10 + 12);
  EXPECT_EQ(FinishMs({.rows_ahead = 5, .rows_max = 8, .free_in = kSoon}, 30), 1 + 12)
      << "not behind a whole batch";
  EXPECT_EQ(FinishMs({.rows_ahead = 12, .rows_max = 8, .free_in = kSoon}, 30), 1 + 2 * 10 + 12);
  EXPECT_EQ(FinishMs({.rows = 3, .rows_max = 8, .free_in = kSoon}, 2), 1 + 8)
      << "a request is never cut in two";
  EXPECT_EQ(FinishMs({.rows_ahead = 7, .rows_max = 8}, 30), 15) << "nothing runs: all at once";
}

TEST(AdmissionTest, PredictFinish_CountsThoseWhoWillCome) {
  constexpr double kEachMs = 1.0 / kMillisecond;
  EXPECT_EQ(FinishMs({.rows_max = 8, .free_in = 4 * kMillisecond, .arrival_rate = kEachMs}, 1000),
            4 + 11)
      << "one and four more";
  EXPECT_EQ(FinishMs({.rows_max = 8, .free_in = 9 * kMillisecond, .arrival_rate = kEachMs}, 1000),
            9 + 15)
      << "no more than a batch";
  // Eight come within 0.8 ms, so the first of them need not wait for another run of 15 ms.
  EXPECT_EQ(
      FinishMs({.rows_ahead = 8, .rows_max = 8, .free_in = 1, .arrival_rate = 10 * kEachMs}, 20),
      12 + 15);
}

TimeNs PromisedMs(const AdmissionFacts& facts, TimeNs deadline_ms) {
  return PredictAnswer(facts, deadline_ms * kMillisecond, ServiceTime(kLine)).promised /
         kMillisecond;
}

TEST(AdmissionTest, Promised_KeepsATenthBack) {
  EXPECT_EQ(PromisedMs({}, 100), 90);
  EXPECT_EQ(PromisedMs({.now = 100 * kMillisecond}, 200), 190);
  EXPECT_TRUE((Forecast{.finish = 90, .promised = 90}.in_time()));
  EXPECT_FALSE((Forecast{.finish = 91, .promised = 90}.in_time()));
}

// Of 36 ms that may be promised, eight rows run for 15.
TEST(AdmissionTest, Promised_KeepsMoreBackWhereBatchesFillEarly) {
  constexpr double kEachMs = 1.0 / kMillisecond;
  const auto promised_ms = [](double refill_rate, TimeNs free_in = kMillisecond) {
    return PromisedMs(
        {.rows_max = 8, .free_in = free_in, .arrival_rate = 1, .refill_rate = refill_rate}, 40);
  };
  EXPECT_EQ(promised_ms(8 * kEachMs), 28) << "19 ms to spare: half a run of them";
  EXPECT_EQ(promised_ms(0.8 * kEachMs), 35) << "1 ms to spare, if it fills half as quickly";
  EXPECT_EQ(promised_ms(0.7 * kEachMs), 36) << "none";
  EXPECT_EQ(promised_ms(0), 36) << "nobody would take its place";
  EXPECT_EQ(promised_ms(8 * kEachMs, 0), 36) << "it runs now";
}

TEST(AdmissionTest, RetryAfter_IsTheDrainTimeWithAFifthOfJitter) {
  const ServiceTime time(kLine);
  const AdmissionFacts facts = {.rows_ahead = 80, .rows_max = 8, .free_in = 0};
  EXPECT_EQ(RetryAfter(facts, time, 0.5) / kMillisecond, 120);
  EXPECT_EQ(RetryAfter(facts, time, 0) / kMillisecond, 96);
  EXPECT_EQ(RetryAfter(facts, time, 0.999) / kMillisecond, 143);
  EXPECT_EQ(RetryAfter({}, ServiceTime(), 0), kMillisecond);
}

constexpr TimeNs kTarget = 10 * kMillisecond;

TEST(QueueDelayTest, StandingQueue_IsRefusedAfterAnInterval) {
  QueueDelay delay;
  TimeNs now = kSecond;
  const auto refuses_for = [&](TimeNs waited, int times) {
    bool refused = false;
    for (int i = 0; i < times; ++i, now += 10 * kMillisecond) {
      refused = delay.Refuses(kTarget, waited, now);
    }
    return refused;
  };
  EXPECT_FALSE(refuses_for(50 * kMillisecond, 10)) << "the first interval only looks";
  EXPECT_TRUE(refuses_for(50 * kMillisecond, 1));
  EXPECT_FALSE(refuses_for(15 * kMillisecond, 1)) << "not yet twice the target";
}

TEST(QueueDelayTest, BurstThatDrains_IsLetThrough) {
  QueueDelay delay;
  TimeNs now = kSecond;
  for (int i = 0; i < 100; ++i, now += 10 * kMillisecond) {
    // Each interval has a call that did not wait.
    EXPECT_FALSE(delay.Refuses(kTarget, i % 10 == 5 ? 0 : 100 * kMillisecond, now)) << i;
  }
}

TEST(QueueDelayTest, PauseEndsIt) {
  QueueDelay delay;
  TimeNs now = kSecond;
  for (int i = 0; i < 12; ++i, now += 10 * kMillisecond) {
    static_cast<void>(delay.Refuses(kTarget, 50 * kMillisecond, now));
  }
  EXPECT_TRUE(delay.Refuses(kTarget, 50 * kMillisecond, now));
  now += kSecond;
  EXPECT_FALSE(delay.Refuses(kTarget, 50 * kMillisecond, now));
}

TEST(QueueDelayTest, TargetZero_NeverRefuses) {
  QueueDelay delay;
  for (TimeNs now = 0; now < kSecond; now += kMillisecond) {
    EXPECT_FALSE(delay.Refuses(0, kSecond, now));
  }
}

TEST(AdmissionTest, WaitLimit_IsTenSecondsOrTwentyBatches) {
  EXPECT_EQ(WaitLimit(kSecond, kSecond), kSecond);
  EXPECT_EQ(WaitLimit(0, 0), 10 * kSecond);
  EXPECT_EQ(WaitLimit(0, 500 * kMillisecond), 10 * kSecond);
  EXPECT_EQ(WaitLimit(0, 2 * kSecond), 40 * kSecond);
  EXPECT_EQ(WaitLimit(kNever, kSecond), kNever);
  EXPECT_EQ(WaitLimit(0, kNever / 2), kNever);
}

}  // namespace
}  // namespace penstock
