// ModelInfer echo on gRPC C++'s asynchronous completion queues: one queue and one thread for each
// of --threads, many calls requested ahead, call objects reused. This is what gRPC's performance
// notes advise and what leads grpc_bench's C++ rows. It links nothing of Penstock.
#include <google/protobuf/arena.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "grpc_echo_common.h"

namespace penstock::bench {
namespace {

using inference::ModelInferRequest;
using inference::ModelInferResponse;
using Service = inference::GRPCInferenceService::WithAsyncMethod_ModelInfer<
    inference::GRPCInferenceService::Service>;

// One slot of a queue: waits for a call, answers it, waits for the next. Owned by its queue's
// thread once the server has started.
class Call final {
 public:
  Call(Service& service, grpc::ServerCompletionQueue& queue, const std::atomic<bool>& stopping,
       bool use_arena)
      : service_(service),
        queue_(queue),
        stopping_(stopping),
        use_arena_(use_arena),
        arena_(first_block_, sizeof first_block_) {
    Await();
  }

  // The event of this slot came. `ok` is false once the server shuts down or the call is lost.
  void Proceed(bool ok) {
    if (answering_) {
      Recycle();
      if (ok && !stopping_) Await();
      return;
    }
    if (!ok) return;
    answering_ = true;
    Echo(*request_, *response_);
    writer_->Finish(*response_, grpc::Status::OK, this);
  }

 private:
  void Await() {
    answering_ = false;
    if (use_arena_) {
      request_ = google::protobuf::Arena::CreateMessage<ModelInferRequest>(&arena_);
      response_ = google::protobuf::Arena::CreateMessage<ModelInferResponse>(&arena_);
    } else {
      request_ = &heap_request_;
      response_ = &heap_response_;
    }
    context_.emplace();
    writer_.emplace(&*context_);
    service_.RequestModelInfer(&*context_, request_, &*writer_, &queue_, &queue_, this);
  }

  void Recycle() {
    writer_.reset();
    context_.reset();
    if (use_arena_) {
      arena_.Reset();
    } else {
      heap_request_.Clear();
      heap_response_.Clear();
    }
  }

  Service& service_;
  grpc::ServerCompletionQueue& queue_;
  const std::atomic<bool>& stopping_;  // a queue that shuts down takes no new call
  const bool use_arena_;
  bool answering_ = false;
  alignas(16) char first_block_[2048];
  google::protobuf::Arena arena_;
  ModelInferRequest heap_request_;
  ModelInferResponse heap_response_;
  ModelInferRequest* request_ = nullptr;
  ModelInferResponse* response_ = nullptr;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<ModelInferResponse>> writer_;
};

void ServeQueue(Service& service, grpc::ServerCompletionQueue& queue,
                const std::atomic<bool>& stopping, const EchoFlags& flags) {
  std::vector<std::unique_ptr<Call>> calls;
  for (int i = 0; i < flags.pending; ++i) {
    calls.push_back(std::make_unique<Call>(service, queue, stopping, flags.arena));
  }
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) static_cast<Call*>(tag)->Proceed(ok);
}

int Main(int argc, char** argv) {
  BlockStopSignals();
  const EchoFlags flags = ParseEchoFlags(argc, argv);
  Service service;
  grpc::ServerBuilder builder;
  int port = 0;
  ConfigureBuilder(flags, builder, &port);
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
  for (int i = 0; i < flags.threads; ++i) queues.push_back(builder.AddCompletionQueue());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return 1;
  std::atomic<bool> stopping = false;
  std::vector<std::thread> threads;
  for (const auto& queue : queues) {
    threads.emplace_back(
        [&service, &queue, &stopping, &flags] { ServeQueue(service, *queue, stopping, flags); });
  }
  PrintReady(port);
  WaitForStopSignal();
  stopping = true;
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  for (const auto& queue : queues) queue->Shutdown();
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
  return penstock::bench::Main(argc, argv);
}
