#include "base/watchdog.h"

#include <chrono>

#include "base/thread.h"

namespace penstock {

void Watchdog::Start() {
  thread_ = StartThread("watchdog", 0, [this] {
    std::unique_lock<std::mutex> lock(mu_);
    while (!stopping_) {
      LookLocked();
      changed_.wait_for(lock, std::chrono::nanoseconds(kWatchdogPeriod));
    }
  });
}

void Watchdog::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mu_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::Add(Watched& watched) {
  const std::lock_guard<std::mutex> lock(mu_);
  watched_.PushBack(watched);
}

void Watchdog::Remove(Watched& watched) {
  const std::lock_guard<std::mutex> lock(mu_);
  watched.Unlink();
}

void Watchdog::Look() {
  const std::lock_guard<std::mutex> lock(mu_);
  LookLocked();
}

void Watchdog::LookLocked() {
  const TimeNs now = clock_.Now();
  for (Watched* watched = watched_.front(); watched != nullptr; watched = watched_.Next(*watched)) {
    watched->Look(now, logger_);
  }
}

}  // namespace penstock
