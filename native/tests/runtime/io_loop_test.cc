#include "runtime/io_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace penstock {
namespace {

using Turns = std::atomic<int>;

// Notes the turn in which it was ready.
class Ready final : public Pollable {
 public:
  explicit Ready(const Turns& turns) : fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), turns_(turns) {}
  void OnReady(std::uint32_t /*events*/) override {
    in_turn = turns_.load();
    std::uint64_t count = 0;
    EXPECT_EQ(read(fd.get(), &count, sizeof(count)), static_cast<ssize_t>(sizeof(count)));
  }

  const UniqueFd fd;
  int in_turn = -1;

 private:
  const Turns& turns_;
};

// In its first turn makes the descriptor ready and asks for a rest of an hour.
class RestsOnce final : public TurnHook {
 public:
  RestsOnce(IoLoop& loop, Turns& turns, int fd) : loop_(loop), turns_(turns), fd_(fd) {}
  void OnTurnEnd() override {
    if (turns_ == 0) {
      const std::uint64_t one = 1;
      EXPECT_EQ(write(fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
      loop_.Rest(3600 * kSecond);
    }
    ++turns_;
  }

 private:
  IoLoop& loop_;
  Turns& turns_;
  const int fd_;
};

class Post final : public MailboxItem {
 public:
  Post(IoLoop& loop, const Turns& turns) : loop_(loop), turns_(turns) {}
  void Deliver() override {
    in_turn = turns_.load();
    loop_.RequestStop();
  }
  int in_turn = -1;

 private:
  IoLoop& loop_;
  const Turns& turns_;
};

TEST(IoLoopTest, Rest_GathersWhatIsReadyUntilAPost) {
  const SteadyClock clock;
  auto created = IoLoop::Create(clock);
  ASSERT_TRUE(created.ok());
  IoLoop& loop = *created.value();
  Turns turns = 0;
  Ready ready(turns);
  ASSERT_TRUE(loop.Watch(ready.fd.get(), EPOLLIN, ready).ok());
  RestsOnce rests(loop, turns, ready.fd.get());
  loop.AddTurnHook(rests);
  loop.RunSoon();
  std::thread thread([&loop] { loop.Run(); });
  while (turns == 0) std::this_thread::yield();
  Post post(loop, turns);
  loop.Post(post);
  thread.join();
  EXPECT_EQ(ready.in_turn, 1);
  EXPECT_EQ(post.in_turn, 1) << "there was a turn for the descriptor alone";
  loop.Unwatch(ready.fd.get());
}

// Rests for an hour after its first turn and stops the loop when its timer is due.
class StopsByTimer final : public TurnHook, public Timer {
 public:
  explicit StopsByTimer(IoLoop& loop) : loop_(loop) {}
  void OnTurnEnd() override { loop_.Rest(3600 * kSecond); }
  void OnTimer(TimeNs /*now*/) override { loop_.RequestStop(); }

 private:
  IoLoop& loop_;
};

TEST(IoLoopTest, Rest_EndsWhenATimerIsDue) {
  const SteadyClock clock;
  auto created = IoLoop::Create(clock);
  ASSERT_TRUE(created.ok());
  IoLoop& loop = *created.value();
  StopsByTimer stops(loop);
  loop.AddTurnHook(stops);
  loop.timers().Arm(stops, clock.Now() + 20 * kMillisecond);
  loop.RunSoon();
  loop.Run();  // or the test runs for an hour
  EXPECT_FALSE(stops.armed());
}

}  // namespace
}  // namespace penstock
