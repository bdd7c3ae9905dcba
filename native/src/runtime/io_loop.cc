#include "runtime/io_loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/strings.h"

namespace penstock {

Result<std::unique_ptr<IoLoop>> IoLoop::Create(const Clock& clock) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid()) {
    return Unavailable(StrCat("cannot create an event loop: ", strerror(errno)));
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;  // stands for the wake-up descriptor
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) {
    return Unavailable(StrCat("cannot watch a descriptor: ", strerror(errno)));
  }
  return std::unique_ptr<IoLoop>(new IoLoop(clock, std::move(epoll), std::move(wake)));
}

IoLoop::IoLoop(const Clock& clock, UniqueFd epoll, UniqueFd wake)
    : clock_(clock),
      epoll_(std::move(epoll)),
      wake_(std::move(wake)),
      timers_(clock.Now()),
      now_(clock.Now()) {}

IoLoop::~IoLoop() = default;

void IoLoop::Run() {
  constexpr int kEventsMax = 256;
  std::array<epoll_event, kEventsMax> events;
  while (!stop_.load()) {
    RestNow();
    const int ready = epoll_wait(epoll_.get(), events.data(), kEventsMax, WaitTimeoutMs());
    CHECK(ready >= 0 || errno == EINTR);
    activity_.Begin();
    now_ = clock_.Now();
    ready_ = std::max(ready, 1);
    for (int i = 0; i < ready; ++i) {
      auto* pollable = static_cast<Pollable*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (pollable != nullptr) {
        pollable->OnReady(events[static_cast<std::size_t>(i)].events);
        continue;
      }
      // Before DeliverAll, so that a post after it wakes us again.
      std::uint64_t count;
      [[maybe_unused]] const ssize_t n = read(wake_.get(), &count, sizeof(count));
    }
    DeliverAll();
    timers_.Advance(now_);
    for (TurnHook* hook : hooks_) hook->OnTurnEnd();
    activity_.End();
  }
  DeliverAll();
}

void IoLoop::RequestStop() {
  stop_.store(true);
  Wake();
}

void IoLoop::Wake() {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the loop is awake already.
  [[maybe_unused]] const ssize_t n = write(wake_.get(), &one, sizeof(one));
}

void IoLoop::RestNow() {
  const TimeNs asked = std::exchange(rest_, 0);
  if (asked == 0 || run_soon_) return;
  const TimeNs duration = std::min(asked, timers_.NextDue() - clock_.Now());
  if (duration <= 0) return;
  pollfd posted = {.fd = wake_.get(), .events = POLLIN, .revents = 0};
  const timespec timeout = {.tv_sec = duration / kSecond, .tv_nsec = duration % kSecond};
  const int ready = ppoll(&posted, 1, &timeout, nullptr);
  CHECK(ready >= 0 || errno == EINTR);
}

int IoLoop::WaitTimeoutMs() {
  if (std::exchange(run_soon_, false)) return 0;
  const TimeNs due = timers_.NextDue();
  if (due == kNever) return -1;
  const TimeNs delay = due - clock_.Now();
  if (delay <= 0) return 0;
  constexpr TimeNs kWaitMax = 60 * kSecond;
  return static_cast<int>((std::min(delay, kWaitMax) + kMillisecond - 1) / kMillisecond);
}

Status IoLoop::Watch(int fd, std::uint32_t events, Pollable& pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &pollable;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Unavailable(StrCat("cannot watch a descriptor: ", strerror(errno)));
  }
  return {};
}

void IoLoop::Rewatch(int fd, std::uint32_t events, Pollable& pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &pollable;
  CHECK_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event), 0);
}

void IoLoop::Unwatch(int fd) {
  CHECK_EQ(epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr), 0);
}

}  // namespace penstock
