// One number that one thread writes and any thread reads. Relaxed: a count orders nothing.
#pragma once

#include <atomic>
#include <cstdint>

namespace penstock::metrics {

class Cell final {
 public:
  void Add(std::int64_t n) { Set(Get() + n); }
  void Set(std::int64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::int64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

}  // namespace penstock::metrics
