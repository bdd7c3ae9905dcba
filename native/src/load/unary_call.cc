// UnaryCall: one call on a connection and a loop of its own, both on the caller's thread.
#include <algorithm>
#include <utility>

#include <penstock/load.h>

#include "base/clock.h"
#include "base/strings.h"
#include "load/client_socket.h"
#include "load/request_set.h"

namespace penstock {
namespace load {
namespace {

UnaryAnswer Unreachable(std::string why) {
  return {.code = static_cast<int>(StatusCode::kUnavailable), .status_message = std::move(why)};
}

class OneCall final : public TurnHook, private CallEvents, private SocketOwner, private Timer {
 public:
  OneCall(const LoadPayload& payload, const std::string& peer,
          const std::vector<SocketAddress>& addresses, IoLoop& loop)
      : peer_(peer), addresses_(addresses), loop_(loop), requests_({payload}, peer), call_(*this) {
    loop_.AddTurnHook(*this);
    loop_.timers().Arm(*this, loop_.clock().Now() + requests_.timeout(0));
    Connect();
  }
  ~OneCall() {
    Disarm();
    socket_.reset();
  }

  const UnaryAnswer& answer() const { return answer_; }

  void OnTurnEnd() override {
    if (done_) return;
    if (socket_->state() == ClientSocket::State::kLost) {
      const std::string why = socket_->failure();
      if (++address_ < addresses_.size() && !started_) {
        Connect();
        return;
      }
      Conclude(Unreachable(StrCat("cannot reach a gRPC server at ", peer_, ": ", why)));
      return;
    }
    if (socket_->state() == ClientSocket::State::kOpen && !started_) {
      started_ = socket_->calls().Start(call_, requests_.headers(0), requests_.body(0, 0));
      if (!started_) Conclude(Unreachable(StrCat(peer_, " takes no calls")));
    }
    socket_->Flush();
  }

 private:
  void Connect() {
    socket_ = std::make_unique<ClientSocket>(addresses_[address_], std::nullopt, loop_, blocks_,
                                             buffers_, static_cast<SocketOwner&>(*this));
    loop_.RunSoon();
  }

  void Conclude(UnaryAnswer answer) {
    if (std::exchange(done_, true)) return;
    answer_ = std::move(answer);
    loop_.RequestStop();
  }

  void OnCallEnd(ClientCall& /*call*/, const CallOutcome& outcome) override {
    if (outcome.code < 0) {
      Conclude(Unreachable(StrCat(peer_, ": ", outcome.text)));
      return;
    }
    Conclude({.code = outcome.code,
              .status_message = std::string(outcome.text),
              .message = std::string(reinterpret_cast<const char*>(outcome.message.data()),
                                     outcome.message.size())});
  }
  void OnCallFree(ClientCall& /*call*/) override {}
  void OnCallTimer(ClientCall& /*call*/, TimeNs /*now*/) override {}
  void MarkDirty(ClientSocket& /*socket*/) override { loop_.RunSoon(); }
  void OnTimer(TimeNs /*now*/) override {
    Conclude({.code = static_cast<int>(StatusCode::kDeadlineExceeded),
              .status_message = StrCat(peer_, " did not answer in time")});
  }

  const std::string peer_;
  const std::vector<SocketAddress>& addresses_;
  IoLoop& loop_;
  const RequestSet requests_;
  BlockPool blocks_;
  BufferPool buffers_;
  ClientCall call_;
  std::unique_ptr<ClientSocket> socket_;
  std::size_t address_ = 0;
  bool started_ = false;
  bool done_ = false;
  UnaryAnswer answer_;
};

}  // namespace
}  // namespace load

UnaryAnswer UnaryCall(const std::string& host, std::uint16_t port, const std::string& path,
                      const std::string& message, double timeout_s) {
  const auto refused = [](const Status& status) {
    return UnaryAnswer{.code = static_cast<int>(status.code()),
                       .status_message = std::string(status.message())};
  };
  LoadOptions options = {.host = host, .port = port};
  const double timeout_us = std::clamp(timeout_s * 1e6, 1.0, 3.6e9);
  options.payloads = {{.path = path,
                       .messages = {message},
                       .check = AnswerCheck::kStatus,
                       .timeout_us = static_cast<std::int64_t>(timeout_us)}};
  options.mode = LoadMode::kClosed;
  if (const Status checked = load::CheckOptions(options); !checked.ok()) return refused(checked);
  const Result<std::vector<SocketAddress>> addresses = Resolve(host, port);
  if (!addresses.ok()) return refused(addresses.status());
  const SteadyClock clock;
  Result<std::unique_ptr<IoLoop>> loop = IoLoop::Create(clock);
  if (!loop.ok()) return refused(loop.status());
  load::OneCall call(options.payloads.front(), StrCat(host, ":", port), addresses.value(), **loop);
  (*loop)->Run();
  return call.answer();
}

}  // namespace penstock
