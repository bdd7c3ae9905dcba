// A service method that does what a test says. By default it holds every call until the test ends
// it; cancelled ones it releases at once. One thread.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "grpc/call.h"
#include "grpc/method.h"

namespace penstock {

inline void Reply(grpc::Call& call, std::string_view message) {
  call.BeginMessage(message.size()).Append(std::as_bytes(std::span(message)));
}

class FakeMethod final : public grpc::Method {
 public:
  explicit FakeMethod(bool is_streaming = false) : streaming_(is_streaming) {}

  bool streaming() const override { return streaming_; }
  bool sheddable() const override { return is_sheddable; }
  Result<grpc::MessagePlan> OnMessageBegin(grpc::Call& /*call*/, std::size_t length,
                                           std::span<const std::byte> /*head*/) override {
    ++begun;
    lengths.push_back(length);
    if (!refusal.ok()) return refusal;
    return grpc::MessagePlan{.aligned_at = aligned_at};
  }
  void OnMessage(grpc::Call& call, Buffer message) override {
    messages.emplace_back(reinterpret_cast<const char*>(message.data()), message.size());
    misaligned |= reinterpret_cast<std::uintptr_t>(message.data() + aligned_at) % 64 != 0;
    if (std::ranges::find(held, &call) == held.end()) held.push_back(&call);
    if (on_message) on_message(call);
  }
  void OnHalfClose(grpc::Call& call) override {
    ++half_closed;
    if (std::ranges::find(held, &call) == held.end()) held.push_back(&call);
    if (finish_at_half_close) Finish(call);
  }
  void OnCancel(grpc::Call& call) override {
    ++cancelled;
    if (release_at_once) Release(call);
  }

  void Finish(grpc::Call& call, const Status& status = {}) {
    std::erase(held, &call);
    call.Finish(status);
  }
  void Release(grpc::Call& call) {
    std::erase(held, &call);
    call.Release();
  }
  void ReleaseAll() {
    while (!held.empty()) Release(*held.back());
  }

  std::function<void(grpc::Call&)> on_message;
  Status refusal;
  std::size_t aligned_at = 0;
  bool finish_at_half_close = true;
  bool release_at_once = true;
  bool is_sheddable = false;

  std::vector<std::string> messages;
  std::vector<std::size_t> lengths;
  std::vector<grpc::Call*> held;
  int begun = 0;
  int half_closed = 0;
  int cancelled = 0;
  bool misaligned = false;

 private:
  const bool streaming_;
};

}  // namespace penstock
