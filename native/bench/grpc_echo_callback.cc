// ModelInfer echo on gRPC C++'s callback API, the form that gRPC recommends today. gRPC's own
// threads run the reactor; main only waits for a signal. It links nothing of Penstock.
#include <google/protobuf/arena.h>

#include <memory>
#include <mutex>
#include <vector>

#include "grpc_echo_common.h"

namespace penstock::bench {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Allocator = grpc::MessageAllocator<ModelInferRequest, ModelInferResponse>;
using Holder = grpc::MessageHolder<ModelInferRequest, ModelInferResponse>;

// Both messages of a call on one arena whose first block is inside the holder; holders are reused,
// so that a small call allocates nothing for its messages.
class ArenaHolder final : public Holder {
 public:
  using ReturnFunction = void (*)(ArenaHolder*, void* owner);

  ArenaHolder(ReturnFunction give_back, void* owner)
      : give_back_(give_back), owner_(owner), arena_(first_block_, sizeof first_block_) {
    Fill();
  }
  void Release() override { give_back_(this, owner_); }
  void Reset() {
    arena_.Reset();
    Fill();
  }

 private:
  void Fill() {
    set_request(google::protobuf::Arena::CreateMessage<ModelInferRequest>(&arena_));
    set_response(google::protobuf::Arena::CreateMessage<ModelInferResponse>(&arena_));
  }

  ReturnFunction give_back_;
  void* owner_;
  alignas(16) char first_block_[2048];
  google::protobuf::Arena arena_;
};

class PooledAllocator final : public Allocator {
 public:
  Holder* AllocateMessages() override {
    const std::lock_guard<std::mutex> lock(mu_);
    if (free_.empty()) {
      all_.push_back(std::make_unique<ArenaHolder>(&PooledAllocator::GiveBack, this));
      return all_.back().get();
    }
    ArenaHolder* holder = free_.back();
    free_.pop_back();
    return holder;
  }

 private:
  static void GiveBack(ArenaHolder* holder, void* owner) {
    holder->Reset();
    auto* self = static_cast<PooledAllocator*>(owner);
    const std::lock_guard<std::mutex> lock(self->mu_);
    self->free_.push_back(holder);
  }

  std::mutex mu_;
  std::vector<ArenaHolder*> free_;
  std::vector<std::unique_ptr<ArenaHolder>> all_;
};

using Base = inference::GRPCInferenceService::WithCallbackMethod_ModelInfer<
    inference::GRPCInferenceService::Service>;

class EchoService final : public Base {
 public:
  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const ModelInferRequest* request,
                                       ModelInferResponse* response) override {
    // The API hands the request out as const; it is this call's own and nobody reads it again, so
    // moving its bytes out is the cheapest echo there is.
    Echo(const_cast<ModelInferRequest&>(*request), *response);
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

int Main(int argc, char** argv) {
  BlockStopSignals();
  const EchoFlags flags = ParseEchoFlags(argc, argv);
  PooledAllocator allocator;
  EchoService service;
  if (flags.arena) service.SetMessageAllocatorFor_ModelInfer(&allocator);
  grpc::ServerBuilder builder;
  int port = 0;
  ConfigureBuilder(flags, builder, &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return 1;
  PrintReady(port);
  WaitForStopSignal();
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  server->Wait();
  return 0;
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
  return penstock::bench::Main(argc, argv);
}
