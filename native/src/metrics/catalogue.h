// Every count that the data plane keeps, once: its name, what it counts. Cells hold them per loop.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "metrics/cell.h"

namespace penstock::metrics {

enum class Counter : std::uint8_t {
  kConnectionsOpened,
  kConnectionsClosed,
  kCallsAccepted,
  kCallsFinished,  // = accepted once the server rests
  kCallsReleased,  // finished and nothing uses their memory any more
  kCallsCancelled,
  kCallsExpired,
  kCallsShed,       // refused by their headers, under overload
  kRequestsInline,  // answered from a run on their own loop
  kRequestsPool,    // from a run on a compute thread
  kCount,
};

// The counts of one thread: it alone writes, anyone reads.
class Cells final {
 public:
  void Add(Counter counter, std::int64_t n = 1) {
    cells_[static_cast<std::size_t>(counter)].Add(n);
  }
  std::int64_t Get(Counter counter) const {
    return cells_[static_cast<std::size_t>(counter)].Get();
  }

 private:
  std::array<Cell, static_cast<std::size_t>(Counter::kCount)> cells_;
};

}  // namespace penstock::metrics
