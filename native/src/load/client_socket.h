// One TCP connection of the generator with the calls on it: connects, reads, writes. The loop's
// thread only. Never destroys itself; its owner looks at state() at the end of a turn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "base/intrusive_list.h"
#include "base/unique_fd.h"
#include "load/client_connection.h"
#include "net/connect.h"
#include "runtime/io_loop.h"

namespace penstock::load {

class SocketOwner {
 public:
  // Something happened on the socket: it wants to be looked at, and flushed, in this turn.
  virtual void MarkDirty(ClientSocket& socket) = 0;

 protected:
  ~SocketOwner() = default;
};

class ClientSocket final : public Pollable, public ListLink<ClientSocket> {
 public:
  // connecting --TCP stands--> greeting --the server's SETTINGS--> open --> lost
  //      \____________________________\______________________________________/
  enum class State : std::uint8_t { kConnecting, kGreeting, kOpen, kLost };

  // Nothing is thrown away here that fails: state() turns kLost and failure() says why.
  ClientSocket(const SocketAddress& address, const std::optional<SocketAddress>& source,
               IoLoop& loop, BlockPool& blocks, BufferPool& buffers, SocketOwner& owner);
  ClientSocket(const ClientSocket&) = delete;
  ClientSocket& operator=(const ClientSocket&) = delete;
  ~ClientSocket();

  void OnReady(std::uint32_t events) override;
  // Writes what the calls want to send; true if there was anything.
  bool Flush();
  // Gives the connection up: every call on it ends.
  void Lose(const std::string& why);

  State state() const { return state_; }
  const std::string& failure() const { return failure_; }
  // Bytes were received since the last call of this function.
  bool TakeActive() { return std::exchange(active_, false); }
  ClientConnection& calls() { return connection_; }

 private:
  void OnConnected();
  void Read();
  bool WriteSome();
  void UpdateWatch();

  IoLoop& loop_;
  SocketOwner& owner_;
  UniqueFd fd_;
  ClientConnection connection_;
  State state_ = State::kConnecting;
  std::uint32_t watched_events_ = 0;
  bool write_blocked_ = false;
  bool active_ = false;
  std::string failure_;
};

}  // namespace penstock::load
