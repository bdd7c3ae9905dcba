// A no-op ModelInfer on the frontend layer alone: decodes the request, answers its tensors. Proves
// that the frontend knows nothing of inference, and is the upper bound in every benchmark.
//
//   echo_server [--port N] [--threads N]
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/frontend.h"
#include "grpc/call.h"
#include "wire/infer_request.h"
#include "wire/infer_response.h"

namespace penstock {
namespace {

// Moves raw inputs to raw outputs; large ones leave from the buffer that they arrived in.
class EchoMethod final : public grpc::Method {
 public:
  void OnMessage(grpc::Call& call, Buffer message) override {
    const Status status = wire::DecodeInferRequest(message.bytes(), request_);
    if (!status.ok() || request_.inputs.size() != request_.raw_input_contents.size()) {
      call.Finish(status.ok() ? InvalidArgument("one raw entry for each input expected") : status);
      return;
    }
    outputs_.clear();
    std::size_t largest = 0;
    for (std::size_t i = 0; i < request_.inputs.size(); ++i) {
      const wire::InferInput& input = request_.inputs[i];
      outputs_.push_back({.name = input.name,
                          .dtype = DataTypeFromName(input.datatype),
                          .shape = input.shape,
                          .data = request_.raw_input_contents[i]});
      largest = std::max(largest, outputs_.back().data.size());
    }
    const wire::InferResponse response = {.model_name = request_.model_name,
                                          .model_version = request_.model_version,
                                          .id = request_.id,
                                          .outputs = outputs_};
    ByteQueue& body = call.BeginMessage(wire::InferResponseSize(response));
    std::shared_ptr<const Buffer> owner;
    if (largest > wire::kOutputCopyMax) owner = std::make_shared<Buffer>(std::move(message));
    wire::EncodeInferResponse(response, owner, body);
    call.Finish({});
  }

  void OnCancel(grpc::Call& call) override { call.Release(); }

 private:
  wire::InferRequest request_;
  std::vector<wire::InferOutput> outputs_;
};

class EchoService final : public frontend::Service {
 public:
  void AddMethods(grpc::Router& router) override {
    router.Add("/inference.GRPCInferenceService/ModelInfer", echo_);
  }

 private:
  EchoMethod echo_;
};

int Main(int argc, char** argv) {
  frontend::FrontendOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--port") options.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    if (flag == "--threads") options.io_threads = std::atoi(argv[i + 1]);
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const SteadyClock clock;
  Logger logger({});
  auto frontend = frontend::Frontend::Create(options, clock, logger, [](frontend::LoopResources&) {
    return std::make_unique<EchoService>();
  });
  if (!frontend.ok()) {
    std::fprintf(stderr, "echo_server: %s\n", frontend.status().ToString().c_str());
    return 1;
  }
  (*frontend)->Start();
  std::printf("ready grpc=127.0.0.1:%d\n", (*frontend)->port());
  std::fflush(stdout);
  int signal_number = 0;
  sigwait(&signals, &signal_number);
  return 0;
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) {
  return penstock::Main(argc, argv);
}
