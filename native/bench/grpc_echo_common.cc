// See grpc_echo_common.h. Everything here runs on the main thread except Echo, which runs on
// whichever gRPC thread has the call.
#include "grpc_echo_common.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace penstock::bench {
namespace {

[[noreturn]] void Usage(std::string_view problem) {
  std::fprintf(stderr,
               "%.*s\nflags: --port --threads --pending --arena --throughput "
               "--max-frame-bytes --lookahead-bytes --resource-threads, each with a number\n",
               static_cast<int>(problem.size()), problem.data());
  std::exit(2);
}

int* FindFlag(EchoFlags& flags, std::string_view name, int& arena, int& throughput) {
  if (name == "--port") return &flags.port;
  if (name == "--threads") return &flags.threads;
  if (name == "--pending") return &flags.pending;
  if (name == "--arena") return &arena;
  if (name == "--throughput") return &throughput;
  if (name == "--max-frame-bytes") return &flags.max_frame_bytes;
  if (name == "--lookahead-bytes") return &flags.lookahead_bytes;
  if (name == "--resource-threads") return &flags.resource_threads;
  return nullptr;
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

EchoFlags ParseEchoFlags(int argc, char** argv) {
  EchoFlags flags;
  int arena = flags.arena ? 1 : 0;
  int throughput = flags.throughput ? 1 : 0;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const char* text = nullptr;
    if (equals != std::string_view::npos) {
      text = argv[i] + equals + 1;
      argument = argument.substr(0, equals);
    } else if (i + 1 < argc) {
      text = argv[++i];
    }
    int* target = FindFlag(flags, argument, arena, throughput);
    if (target == nullptr) Usage("unknown flag");
    if (text == nullptr) Usage("a flag lacks its number");
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (end == text || *end != '\0' || value < 0 || value > 1 << 30) Usage("not a number");
    *target = static_cast<int>(value);
  }
  flags.arena = arena != 0;
  flags.throughput = throughput != 0;
  return flags;
}

void BlockStopSignals() {
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void WaitForStopSignal() {
  const sigset_t signals = StopSignals();
  int received = 0;
  sigwait(&signals, &received);
}

void ConfigureBuilder(const EchoFlags& flags, grpc::ServerBuilder& builder, int* port) {
  builder.AddListeningPort("127.0.0.1:" + std::to_string(flags.port),
                           grpc::InsecureServerCredentials(), port);
  builder.SetMaxReceiveMessageSize(-1);
  builder.SetMaxSendMessageSize(-1);
  if (flags.throughput) builder.AddChannelArgument(GRPC_ARG_OPTIMIZATION_TARGET, "throughput");
  if (flags.max_frame_bytes > 0) {
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, flags.max_frame_bytes);
  }
  if (flags.lookahead_bytes > 0) {
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, flags.lookahead_bytes);
  }
  if (flags.resource_threads > 0) {
    grpc::ResourceQuota quota("echo");
    quota.SetMaxThreads(flags.resource_threads);
    builder.SetResourceQuota(quota);
  }
}

void PrintReady(int port) {
  std::printf("ready grpc=127.0.0.1:%d\n", port);
  std::fflush(stdout);
}

void Echo(inference::ModelInferRequest& request, inference::ModelInferResponse& response) {
  response.mutable_model_name()->swap(*request.mutable_model_name());
  response.mutable_id()->swap(*request.mutable_id());
  if (request.inputs_size() > 0) {
    auto& input = *request.mutable_inputs(0);
    auto& output = *response.add_outputs();
    output.mutable_name()->swap(*input.mutable_name());
    output.mutable_datatype()->swap(*input.mutable_datatype());
    output.mutable_shape()->Swap(input.mutable_shape());
  }
  response.mutable_raw_output_contents()->Swap(request.mutable_raw_input_contents());
}

}  // namespace penstock::bench
