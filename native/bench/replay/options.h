// The replay client's flags. Values only; parsing ends the process on a mistake, before any
// thread or socket exists.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::bench {

struct ReplayOptions {
  std::string host = "127.0.0.1";
  int port = 0;
  int connections = 1;
  int streams = 1;            // per connection, each with one request in flight
  double warmup_s = 0.5;      // not measured
  double duration_s = 2.0;    // measured
  std::int64_t requests = 0;  // above 0: exactly so many, no warm-up, instead of a duration
  bool tcp = false;           // raw bytes of a request there and back, no HTTP/2
  std::string path = "/inference.GRPCInferenceService/ModelInfer";
  std::string message_file;       // the serialized request
  std::string expect_file;        // the serialized response to compare each reply with
  int float_tail = 0;             // so many last FP32 of the response are compared with a tolerance
  double tolerance = 1e-5;        // of the largest expected magnitude
  std::string record_file;        // the first reply's message goes here
  int max_frame_bytes = 4 << 20;  // SETTINGS_MAX_FRAME_SIZE that we announce
  int stall_timeout_s = 10;       // no reply for so long is a failure
  std::vector<int> server_pids;   // processes whose CPU time is read around the measured window
};

// Prints what is wrong and how to call it, and exits with 2, unless everything is in order.
ReplayOptions ParseReplayOptions(int argc, char** argv);

}  // namespace penstock::bench
