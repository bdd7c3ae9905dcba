// The listening socket: one loop accepts for all and deals each connection to the loop that has
// the fewest. Clients open few connections, and the kernel's hashing would pile them up. The
// accepting loop's thread only.
#pragma once

#include <memory>
#include <span>

#include "base/log.h"
#include "base/mailbox.h"
#include "base/timer_wheel.h"
#include "frontend/loop_frontend.h"
#include "net/socket.h"
#include "runtime/io_loop.h"

namespace penstock::frontend {

class Acceptor final : public Pollable, private Timer, private MailboxItem {
 public:
  Acceptor(ListeningSocket socket, IoLoop& loop,
           std::span<const std::unique_ptr<LoopFrontend>> loops, std::int64_t connections_max,
           Logger& logger)
      : socket_(std::move(socket)),
        loop_(loop),
        loops_(loops),
        connections_max_(connections_max),
        logger_(logger) {}
  ~Acceptor();

  Status Watch();
  void OnReady(std::uint32_t events) override;
  // Any thread, once: no connection is accepted any more.
  void Close() { loop_.Post(*this); }

 private:
  void OnTimer(TimeNs now) override;
  void Deliver() override;
  LoopFrontend& LeastLoaded() const;
  std::int64_t ConnectionsInAll() const;
  void Pause();

  ListeningSocket socket_;
  IoLoop& loop_;
  const std::span<const std::unique_ptr<LoopFrontend>> loops_;
  const std::int64_t connections_max_;
  Logger& logger_;
  bool watched_ = false;
  bool out_of_resources_ = false;
};

}  // namespace penstock::frontend
