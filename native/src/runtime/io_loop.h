// One thread's event loop: descriptors (epoll), timers, a mailbox for other threads, and hooks that
// run at the end of every turn. Knows nothing of sockets or protocols.
//
//   turn:  wait -> read the clock once -> ready descriptors -> mailbox -> due timers -> hooks
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/status.h"
#include "base/timer_wheel.h"
#include "base/unique_fd.h"
#include "base/watchdog.h"

namespace penstock {

// What a descriptor is watched for. The loop calls it on its own thread; it may unwatch or destroy
// itself, but not another Pollable that is watched, from OnReady (do that from a turn hook).
class Pollable {
 public:
  // `events`: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP.
  virtual void OnReady(std::uint32_t events) = 0;

 protected:
  ~Pollable() = default;
};

// Called once at the end of every turn, in the order of registration: where what the turn brought
// is worked off together (batches run, replies leave in one write).
class TurnHook {
 public:
  virtual void OnTurnEnd() = 0;

 protected:
  ~TurnHook() = default;
};

class IoLoop final : public Mailbox {
 public:
  static Result<std::unique_ptr<IoLoop>> Create(const Clock& clock);
  ~IoLoop() override;

  // The thread that calls Run is the loop's thread until Run returns, after RequestStop.
  void Run();
  // Any thread.
  void RequestStop();

  // Each turn is one thing that it is at; waiting is none. Any thread.
  const Activity& activity() const { return activity_; }

  // The rest: the loop's thread only (or before Run, or after it).

  // The time this turn began: one value for all protocol events of a turn.
  TimeNs now() const { return now_; }
  const Clock& clock() const { return clock_; }
  TimerWheel& timers() { return timers_; }
  // Descriptors that this turn found ready, at least 1.
  int ready() const { return ready_; }
  Status Watch(int fd, std::uint32_t events, Pollable& pollable);
  void Rewatch(int fd, std::uint32_t events, Pollable& pollable);
  void Unwatch(int fd);
  // The next turn does not wait.
  void RunSoon() { run_soon_ = true; }
  // The next turn begins after `duration`, or as soon as another thread posts or a timer is due:
  // what becomes ready meanwhile is worked off together. 0: no rest.
  void Rest(TimeNs duration) { rest_ = duration; }
  void AddTurnHook(TurnHook& hook) { hooks_.push_back(&hook); }

 private:
  IoLoop(const Clock& clock, UniqueFd epoll, UniqueFd wake);
  void Wake() override;
  void RestNow();
  int WaitTimeoutMs();

  const Clock& clock_;
  const UniqueFd epoll_;
  const UniqueFd wake_;
  TimerWheel timers_;
  TimeNs now_;
  Activity activity_;
  int ready_ = 1;
  bool run_soon_ = false;
  TimeNs rest_ = 0;
  std::vector<TurnHook*> hooks_;
  // Set by any thread before a Wake, which orders it.
  std::atomic<bool> stop_{false};
};

}  // namespace penstock
