#include "runtime/compute_pool.h"

#include "base/strings.h"
#include "base/thread.h"

namespace penstock {

ComputePool::ComputePool(int threads, const std::function<void()>& body) {
  constexpr int kNice = 5;
  for (int i = 0; i < threads; ++i) {
    threads_.push_back(StartThread(StrCat("compute-", i), kNice, body));
  }
}

ComputePool::~ComputePool() {
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace penstock
