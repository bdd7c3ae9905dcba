// The threads that run batches which do not run inline. Lower priority than the loops, so that a
// batch never delays an answer.
#pragma once

#include <functional>
#include <thread>
#include <vector>

namespace penstock {

class ComputePool final {
 public:
  // Each thread calls `body` once; it returns when there will be no more work.
  ComputePool(int threads, const std::function<void()>& body);
  // Waits for the threads.
  ~ComputePool();
  ComputePool(const ComputePool&) = delete;
  ComputePool& operator=(const ComputePool&) = delete;

 private:
  std::vector<std::thread> threads_;
};

}  // namespace penstock
