#include "base/watchdog.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

class CountingWatched final : public Watched {
 public:
  void Look(TimeNs /*now*/, Logger& /*logger*/) override {
    ++looks_;
    looks_.notify_all();
  }
  int looks() const { return looks_; }
  void WaitForAnother() const { looks_.wait(looks_); }

 private:
  std::atomic<int> looks_{0};
};

TEST(WatchdogTest, LooksAgainAndAgainUntilRemoved) {
  const SteadyClock clock;
  Logger logger({.severity_min = LogSeverity::kError});
  Watchdog watchdog(clock, logger);
  CountingWatched watched;
  CountingWatched other;
  watchdog.Add(watched);
  watchdog.Add(other);
  watchdog.Start();
  for (int i = 0; i < 3; ++i) watched.WaitForAnother();
  watchdog.Remove(watched);
  const int looks = watched.looks();
  other.WaitForAnother();
  watchdog.Look();
  EXPECT_EQ(watched.looks(), looks);
  watchdog.Remove(other);
  watchdog.Stop();
}

TEST(ActivityAgeTest, CountsFromTheFirstLookAtTheSameThing) {
  Activity activity;
  ActivityAge age;
  EXPECT_EQ(age.Look(activity.which(), 100), 0) << "nothing is under way";
  activity.Begin();
  EXPECT_EQ(age.Look(activity.which(), 200), 0);
  EXPECT_EQ(age.Look(activity.which(), 250), 50);
  EXPECT_TRUE(age.TellOnce());
  EXPECT_FALSE(age.TellOnce());
  activity.End();
  activity.Begin();
  EXPECT_EQ(age.Look(activity.which(), 300), 0) << "another thing";
  EXPECT_EQ(age.Look(activity.which(), 310), 10);
  EXPECT_TRUE(age.TellOnce());
  activity.End();
  EXPECT_EQ(age.Look(activity.which(), 400), 0);
  EXPECT_EQ(age.Look(activity.which(), 500), 0) << "idle is nothing that takes long";
}

}  // namespace
}  // namespace penstock
