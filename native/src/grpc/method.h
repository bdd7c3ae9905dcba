// What a service implements: one Method for each RPC, called on the loop's thread by the calls of
// all of that loop's connections. Knows nothing of HTTP/2.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/buffer.h"
#include "base/status.h"

namespace penstock::grpc {

class Call;

// Where a message's buffer should be aligned; see BufferPool::Get.
struct MessagePlan {
  std::size_t aligned_at = 0;
};

class Method {
 public:
  virtual ~Method() = default;

  // True: OnMessage comes for each message, then OnHalfClose. False: OnMessage comes once, when
  // the peer has sent exactly one message and closed its side.
  virtual bool streaming() const { return false; }

  // True: a call may be refused by its headers alone while its connection is overloaded. Not for
  // what an operator or a load balancer asks.
  virtual bool sheddable() const { return false; }

  // A message of `length` bytes begins; `head` holds those of its first bytes that are there. An
  // error refuses the call before the message is received.
  virtual Result<MessagePlan> OnMessageBegin(Call& /*call*/, std::size_t /*length*/,
                                             std::span<const std::byte> /*head*/) {
    return MessagePlan();
  }

  // From here the method holds the call until it calls Finish, or Release after OnCancel.
  virtual void OnMessage(Call& call, Buffer message) = 0;

  virtual void OnHalfClose(Call& /*call*/) {}

  // The call ended otherwise (reset, deadline, connection lost) while the method held it. It must
  // call Release, at once or when nothing uses the call's memory any more.
  virtual void OnCancel(Call& call) = 0;
};

// Paths ("/package.Service/Method") to methods. Built before the first call, then only read.
class Router final {
 public:
  // `path` and `method` outlive the router.
  void Add(std::string_view path, Method& method) { methods_[path] = &method; }
  // Null where there is none.
  Method* Find(std::string_view path) const {
    const auto found = methods_.find(path);
    return found == methods_.end() ? nullptr : found->second;
  }

 private:
  std::unordered_map<std::string_view, Method*> methods_;
};

}  // namespace penstock::grpc
