// One thread that looks at what must not take for ever: runs of models, turns of event loops. What
// is watched costs its own thread a store where it begins and one where it ends; clocks and limits
// are this thread's business, so a limit is noticed up to two looks late.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/log.h"

namespace penstock {

inline constexpr TimeNs kWatchdogPeriod = 50 * kMillisecond;

class Watched : public ListLink<Watched> {
 public:
  // The watchdog's thread, or whoever calls Watchdog::Look; never two at once.
  virtual void Look(TimeNs now, Logger& logger) = 0;

 protected:
  ~Watched() = default;
};

class Watchdog final {
 public:
  Watchdog(const Clock& clock, Logger& logger) : clock_(clock), logger_(logger) {}
  // Everything added must have been removed.
  ~Watchdog() { Stop(); }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // From here it looks every kWatchdogPeriod; each once.
  void Start();
  void Stop();

  // Any thread. After Remove, nothing looks at `watched` any more.
  void Add(Watched& watched);
  void Remove(Watched& watched);
  // Looks at everything now.
  void Look();

 private:
  void LookLocked();

  const Clock& clock_;
  Logger& logger_;
  std::mutex mu_;
  std::condition_variable changed_;
  // Guarded by mu_.
  IntrusiveList<Watched, Watched> watched_;
  bool stopping_ = false;
  std::thread thread_;
};

// What one thread does, begin after end: odd while it is at it. That thread writes, anyone reads.
class Activity final {
 public:
  void Begin() { Step(); }
  void End() { Step(); }
  // Which of all its doings; changes with each Begin and End.
  std::uint64_t which() const { return count_.load(std::memory_order_acquire); }
  static bool UnderWay(std::uint64_t which) { return which % 2 == 1; }

 private:
  void Step() {
    // Release: who reads the count has seen what was written before.
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  std::atomic<std::uint64_t> count_{0};
};

// How long an Activity has been at the same thing, by looks from outside.
class ActivityAge final {
 public:
  // 0 where nothing is under way, or at the first look that sees it.
  TimeNs Look(std::uint64_t which, TimeNs now) {
    if (which != seen_) {
      seen_ = which;
      since_ = now;
      told_ = false;
    }
    return Activity::UnderWay(which) ? now - since_ : 0;
  }
  // True once for each thing that it is at.
  bool TellOnce() { return !std::exchange(told_, true); }

 private:
  std::uint64_t seen_ = 0;
  TimeNs since_ = 0;
  bool told_ = false;
};

}  // namespace penstock
