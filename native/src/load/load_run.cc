// LoadRun: an engine on a loop of its own, on a thread of its own.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include <penstock/load.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "load/engine.h"
#include "load/request_set.h"
#include "net/connect.h"
#include "runtime/io_loop.h"

namespace penstock {

class LoadRun::Impl {
 public:
  Impl(LoadOptions load_options, std::vector<SocketAddress> addresses,
       std::unique_ptr<IoLoop> io_loop)
      : options_(std::move(load_options)),
        loop_(std::move(io_loop)),
        engine_(options_, std::move(addresses), *loop_) {}

  ~Impl() {
    if (!thread_.joinable()) return;
    Stop();
    thread_.join();
  }

  static const Clock& SystemClock() {
    static const SteadyClock clock;
    return clock;
  }

  void Start() {
    CHECK(!thread_.joinable());
    thread_ = StartThread("penstock-load", 0, [this] { Run(); });
  }

  void Stop() {
    if (!stop_requested_.exchange(true)) engine_.RequestStop();
  }

  bool Wait(double timeout_s) {
    std::unique_lock lock(mu_);
    return ended_changed_.wait_for(lock, std::chrono::duration<double>(timeout_s),
                                   [this] { return ended_; });
  }

  const LoadResult& Result() {
    const std::lock_guard lock(mu_);
    CHECK(ended_);
    return result_;
  }

  const load::Engine& engine() const { return engine_; }

 private:
  void Run() {
    engine_.Begin();
    loop_->Run();
    LoadResult result = engine_.TakeResult();
    const std::lock_guard lock(mu_);
    result_ = std::move(result);
    ended_ = true;
    ended_changed_.notify_all();
  }

  const LoadOptions options_;
  const std::unique_ptr<IoLoop> loop_;
  load::Engine engine_;
  std::thread thread_;
  std::atomic<bool> stop_requested_{false};  // seq_cst
  std::mutex mu_;
  std::condition_variable ended_changed_;
  bool ended_ = false;  // guarded by mu_, as the next; not written after it is set
  LoadResult result_;
};

std::unique_ptr<LoadRun> LoadRun::Create(LoadOptions options, Error* error) {
  const auto fail = [error](const Status& status) {
    *error = {.code = static_cast<int>(status.code()), .message = std::string(status.message())};
    return std::unique_ptr<LoadRun>();
  };
  if (const Status checked = load::CheckOptions(options); !checked.ok()) return fail(checked);
  penstock::Result<std::vector<SocketAddress>> addresses = Resolve(options.host, options.port);
  if (!addresses.ok()) return fail(addresses.status());
  penstock::Result<std::unique_ptr<IoLoop>> loop = IoLoop::Create(Impl::SystemClock());
  if (!loop.ok()) return fail(loop.status());
  return std::unique_ptr<LoadRun>(new LoadRun(std::make_unique<Impl>(
      std::move(options), std::move(addresses).value(), std::move(loop).value())));
}

LoadRun::LoadRun(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LoadRun::~LoadRun() = default;
void LoadRun::Start() {
  impl_->Start();
}
LoadProgress LoadRun::Snapshot() const {
  return impl_->engine().Progress();
}
std::vector<LoadSecond> LoadRun::Seconds(std::int64_t from) const {
  return impl_->engine().Seconds(from);
}
void LoadRun::Stop() {
  impl_->Stop();
}
bool LoadRun::Wait(double timeout_s) {
  return impl_->Wait(timeout_s);
}
const LoadResult& LoadRun::Result() const {
  return impl_->Result();
}

}  // namespace penstock
