#include "base/thread.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

namespace penstock {

std::thread StartThread(const std::string& name, int nice, std::function<void()> body) {
  // Blocked in the starter, so that the new thread never runs a moment with signals open.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  std::thread thread([name, nice, body = std::move(body)] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    if (nice > 0) {
      const auto thread_id = static_cast<id_t>(syscall(SYS_gettid));
      // Best effort: without it the thread only competes more.
      setpriority(PRIO_PROCESS, thread_id, getpriority(PRIO_PROCESS, thread_id) + nice);
    }
    body();
  });
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  return thread;
}

}  // namespace penstock
