// The server side of gRPC on one HTTP/2 connection: streams become calls. Without a socket and
// without a clock. Also what all connections of a loop share: the CallContext.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/block_pool.h"
#include "base/buffer.h"
#include "base/byte_queue.h"
#include "base/intrusive_list.h"
#include "base/timer_wheel.h"
#include "grpc/byte_budget.h"
#include "grpc/call.h"
#include "grpc/method.h"
#include "http2/connection.h"
#include "metrics/catalogue.h"

namespace penstock::grpc {

struct CallLimits {
  std::size_t message_bytes_max = std::size_t{64} << 20;
  std::uint32_t max_concurrent_streams = 1024;
  // Until the handshake, a header block or a control frame must be complete.
  TimeNs header_timeout = 10 * kSecond;
  // Until a request message must arrive at kReceiveRateMin at least.
  TimeNs body_timeout = 10 * kSecond;
  // Without any progress of a reply.
  TimeNs write_stall_timeout = 30 * kSecond;
};

// Bytes per second, averaged over a message's life.
inline constexpr std::int64_t kReceiveRateMin = 1024;

// What the calls of one loop share. Everything outlives the connections and the calls.
struct CallContext {
  const Router& router;
  const CallLimits limits;
  BufferPool& buffers;
  BlockPool& blocks;
  TimerWheel& timers;
  ByteBudget& budget;
  metrics::Cells& cells;
  // Reply queues of ended calls, kept with their memory for the next ones.
  std::vector<ByteQueue> free_bodies;
};

// Told when a connection has something to send.
class ConnectionHost {
 public:
  virtual void OnOutput() = 0;

 protected:
  ~ConnectionHost() = default;
};

class ServerConnection final : public http2::StreamEvents {
 public:
  ServerConnection(CallContext& context, ConnectionHost& host, TimeNs now);
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;
  // Calls that are still open are cancelled; those that a method holds live on without it.
  ~ServerConnection();

  std::span<const iovec> ReceiveSpace() { return http2_.ReceiveSpace(); }
  // Whether that is the buffer in which small messages come, nobody's yet.
  bool in_shared_buffer() const { return http2_.in_shared_buffer(); }
  // See http2::Connection::Received.
  Status Received(std::size_t n, TimeNs now);
  void Pump() { http2_.Pump(); }
  ByteQueue& output() { return http2_.output(); }
  bool Done() const { return http2_.Done(); }

  // Call it about twice a second. An error means that the connection must end.
  Status CheckTimeouts(TimeNs now);
  // Graceful end; see http2::Connection.
  void BeginShutdown();
  void FinishShutdown();
  // Calls whose stream or method has not let go yet.
  std::size_t calls_alive() const { return calls_alive_; }
  // While `wait` is not 0, new calls of sheddable methods are refused by their headers: what the
  // peer sends waits that long before it is read.
  void SetOverload(TimeNs wait) { overload_wait_ = wait; }
  // Who the peer is: equal for connections from one address. Before the first byte.
  void set_client(std::uint64_t client) { client_ = client; }

  // --- http2::StreamEvents ---
  http2::Stream* OnStreamBegin(http2::StreamId id) override;
  void OnHeader(http2::Stream& stream, std::string_view name, std::string_view value) override;
  void OnHeadersEnd(http2::Stream& stream) override;
  void OnData(http2::Stream& stream, std::span<const std::byte> data) override;
  void OnEndStream(http2::Stream& stream) override;
  void OnStreamClosed(http2::Stream& stream, http2::ErrorCode code) override;

 private:
  friend class Call;
  void OnCallDestroyed() { --calls_alive_; }

  CallContext& context_;
  ConnectionHost& host_;
  std::uint64_t client_ = 0;
  TimeNs overload_wait_ = 0;
  TimeNs now_;  // of the last event from outside
  http2::Connection http2_;
  IntrusiveList<Call, Call> calls_;
  std::size_t calls_alive_ = 0;
  // When the unfinished header block, preface or control frame began; kNever without one.
  TimeNs control_since_;
};

}  // namespace penstock::grpc
