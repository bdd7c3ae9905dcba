#include "runtime/loop_watch.h"

#include <gtest/gtest.h>

#include <array>
#include <semaphore>
#include <thread>

namespace penstock {
namespace {

// Holds its loop up until it is let go.
class Stopper final : public MailboxItem {
 public:
  void Deliver() override {
    entered_.release();
    leave_.acquire();
  }
  void WaitEntered() { entered_.acquire(); }
  void Leave() { leave_.release(); }

 private:
  std::binary_semaphore entered_{0};
  std::binary_semaphore leave_{0};
};

TEST(LoopWatchTest, Stall_IsCountedOnceAndTheNextAgain) {
  const SteadyClock clock;
  Logger logger({.severity_min = LogSeverity::kError});
  Watchdog watchdog(clock, logger);
  metrics::Cell stalls;
  const std::unique_ptr<IoLoop> loop = IoLoop::Create(clock).value();
  LoopWatch watch(watchdog, *loop, 0, stalls);
  std::array<Stopper, 2> stoppers;
  std::jthread thread([&loop] { loop->Run(); });
  TimeNs now = kSecond;
  for (int stall = 1; stall <= 2; ++stall) {
    Stopper& stopper = stoppers[static_cast<std::size_t>(stall - 1)];
    loop->Post(stopper);
    stopper.WaitEntered();
    watch.Look(now, logger);
    watch.Look(now += kLoopStall - 1, logger);
    EXPECT_EQ(stalls.Get(), stall - 1);
    watch.Look(now += 1, logger);
    watch.Look(now += kSecond, logger);
    EXPECT_EQ(stalls.Get(), stall);
    stopper.Leave();
  }
  loop->RequestStop();
  thread.join();
  watch.Look(now += kSecond, logger);
  watch.Look(now += kSecond, logger);
  EXPECT_EQ(stalls.Get(), 2) << "a loop that waits, or has ended, stalls nobody";
}

}  // namespace
}  // namespace penstock
