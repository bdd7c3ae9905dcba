// Reports a loop that does not come round: everyone on it waits for whatever holds it up.
#pragma once

#include <cstddef>

#include "base/strings.h"
#include "base/watchdog.h"
#include "metrics/cell.h"
#include "runtime/io_loop.h"

namespace penstock {

inline constexpr TimeNs kLoopStall = 250 * kMillisecond;

class LoopWatch final : public Watched {
 public:
  // `stalls` counts, on the watchdog's thread.
  LoopWatch(Watchdog& watchdog, const IoLoop& loop, std::size_t index, metrics::Cell& stalls)
      : watchdog_(watchdog), loop_(loop), index_(index), stalls_(stalls) {
    watchdog.Add(*this);
  }
  ~LoopWatch() { watchdog_.Remove(*this); }
  LoopWatch(const LoopWatch&) = delete;
  LoopWatch& operator=(const LoopWatch&) = delete;

  void Look(TimeNs now, Logger& logger) override {
    const TimeNs age = age_.Look(loop_.activity().which(), now);
    if (age < kLoopStall || !age_.TellOnce()) return;
    stalls_.Add(1);
    logger.Warning("an event loop stalls; its connections wait",
                   {{"loop", StrCat("io-", index_)}, {"for_ms", StrCat(age / kMillisecond)}});
  }

 private:
  Watchdog& watchdog_;
  const IoLoop& loop_;
  const std::size_t index_;
  metrics::Cell& stalls_;
  ActivityAge age_;
};

}  // namespace penstock
