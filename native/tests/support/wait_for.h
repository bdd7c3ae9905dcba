// Waiting for what other threads do, by asking every millisecond.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>

namespace penstock {

// Waits for a condition that another thread brings about, for thirty seconds at most.
inline bool WaitFor(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace penstock
