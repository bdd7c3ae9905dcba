// PURE but for its state. How long a connection's bytes wait in its socket before they are read.
// Past a limit even taking in a message to refuse it is too much, and calls are refused by their
// headers until the wait is shorter. Each connection has its own: one that sends more than its
// share of the loop can bear is refused, and the others are not.
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace penstock::frontend {

class SocketDelay final {
 public:
  explicit SocketDelay(TimeNs limit) : limit_(limit) {}

  // False: Mark is due when a turn leaves bytes behind.
  bool marked() const { return left_ > 0; }
  // `unread` bytes stay behind. How long the last of them waits is measured.
  void Mark(std::size_t unread, TimeNs now) {
    left_ = unread;
    marked_at_ = now;
  }
  // `n` bytes were read; `drained`: the socket is empty now.
  void Read(std::size_t n, bool drained, TimeNs now) {
    if (left_ > 0) {
      left_ -= n < left_ ? n : left_;
      const bool came = left_ == 0 || drained;
      // What it has waited so far counts at once where it is longer already.
      if (came || now - marked_at_ > delay_) delay_ = now - marked_at_;
    }
    if (!drained) return;
    left_ = 0;
    delay_ = 0;
  }
  // What was measured last; 0 once the socket was empty.
  TimeNs delay() const { return delay_; }
  bool overloaded() const { return delay_ > limit_; }

 private:
  const TimeNs limit_;
  std::size_t left_ = 0;  // of those that are waited for
  TimeNs marked_at_ = 0;
  TimeNs delay_ = 0;
};

}  // namespace penstock::frontend
