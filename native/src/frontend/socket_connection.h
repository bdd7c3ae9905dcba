// One accepted socket with its gRPC connection: reads, writes, watches. The loop's thread only.
// It never destroys itself: it asks its owner to look at it at the end of the turn.
#pragma once

#include <cstdint>

#include "base/intrusive_list.h"
#include "base/unique_fd.h"
#include "frontend/socket_delay.h"
#include "grpc/server_connection.h"
#include "runtime/io_loop.h"

namespace penstock::frontend {

class SocketConnection;

struct OpenTag;
struct DirtyTag;

// Owns the connections of a loop.
class ConnectionOwner {
 public:
  // Flush is due at the end of this turn.
  virtual void MarkDirty(SocketConnection& connection) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class SocketConnection final : public Pollable,
                               public grpc::ConnectionHost,
                               public ListLink<OpenTag>,
                               public ListLink<DirtyTag> {
 public:
  SocketConnection(UniqueFd fd, IoLoop& loop, grpc::CallContext& context, ConnectionOwner& owner);
  SocketConnection(const SocketConnection&) = delete;
  SocketConnection& operator=(const SocketConnection&) = delete;
  ~SocketConnection();

  Status Watch();
  void OnReady(std::uint32_t events) override;
  void OnOutput() override { owner_.MarkDirty(*this); }

  enum class State { kOpen, kFinished };
  // Frames and writes what is ready. kFinished: the owner destroys it.
  State Flush();
  // About twice a second.
  void Tick(TimeNs now);
  void BeginShutdown() { grpc_.BeginShutdown(); }
  void FinishShutdown() { grpc_.FinishShutdown(); }

 private:
  void Read();
  void NoteDelay(std::size_t read, bool drained);
  void Discard();
  bool WriteSome();
  State Linger();
  void UpdateWatch();

  const UniqueFd fd_;
  IoLoop& loop_;
  ConnectionOwner& owner_;
  const metrics::Cells& calls_;
  const TimeNs write_stall_timeout_;
  grpc::ServerConnection grpc_;
  std::uint32_t watched_events_ = 0;
  TimeNs wrote_at_;
  bool write_blocked_ = false;
  SocketDelay delay_;
  // open --> closing_ (nothing more is heard; what is left to say is written) --> lingering_ (all
  // is said; the peer closes) --> broken_ (the socket is of no use any more)
  bool closing_ = false;
  bool lingering_ = false;
  bool broken_ = false;
  TimeNs lingering_since_ = 0;
};

}  // namespace penstock::frontend
