// What the two gRPC C++ echo servers share: flags, channel settings, the echo itself and the wait
// for a signal. It knows gRPC C++ only; nothing of Penstock is linked into these programs.
#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <memory>
#include <string>

#include "open_inference_grpc.grpc.pb.h"

namespace penstock::bench {

struct EchoFlags {
  int port = 0;              // 0 lets the system pick; the ready line names it
  int threads = 1;           // completion queues, each with a thread (grpc_echo_cq only)
  int pending = 128;         // calls that wait to be matched on each queue (grpc_echo_cq only)
  bool arena = false;        // messages on a pooled arena, not the heap: never faster when measured
  bool throughput = false;   // GRPC_ARG_OPTIMIZATION_TARGET "throughput"
  int max_frame_bytes = 0;   // SETTINGS_MAX_FRAME_SIZE that the server announces; 0: gRPC's own
  int lookahead_bytes = 0;   // first stream window; 0: gRPC's own
  int resource_threads = 0;  // cap on gRPC's own threads; 0: none
};

// Reads `--name=value` or `--name value`; an unknown flag or a bad number ends the process with 2.
EchoFlags ParseEchoFlags(int argc, char** argv);

// Blocks SIGTERM and SIGINT in this thread and all that it starts later. Call it first in main.
void BlockStopSignals();

// Waits for one of them.
void WaitForStopSignal();

// Listens on 127.0.0.1 with the settings of `flags`, no message limit. `port` is filled when the
// server starts.
void ConfigureBuilder(const EchoFlags& flags, grpc::ServerBuilder& builder, int* port);

// Prints `ready grpc=127.0.0.1:PORT`.
void PrintReady(int port);

// The echo: name, id, one output shaped as input 0, and the raw bytes moved over, not copied.
// Both messages live on the same arena or both on the heap; else protobuf copies in Swap.
void Echo(inference::ModelInferRequest& request, inference::ModelInferResponse& response);

}  // namespace penstock::bench
