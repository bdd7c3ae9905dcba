// The load generator behind `penstock bench`: sends unary gRPC calls by a schedule or in a closed
// loop, checks every answer, measures. One thread per LoadRun, no tensors but for checking answers.
// What the binding sees; a plain C++ program may use it as well. Times: `_us`, `_s`, as named.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <penstock/error.h>

namespace penstock {

// What makes an answer with status OK a right one.
enum class AnswerCheck {
  kStatus,   // exactly one whole gRPC message came with it
  kBytes,    // and its bytes are the expected ones
  kTensors,  // and it is a ModelInferResponse whose outputs are the expected ones: names, types and
             // shapes equal, floats within the tolerance, everything else equal bit by bit
};

// One kind of call in the mix.
struct LoadPayload {
  std::string path;                   // "/inference.GRPCInferenceService/ModelInfer"
  std::vector<std::string> messages;  // request messages, taken at random; at least one
  // One for each message, or none: then the first answer to a message is remembered and later ones
  // must agree with it.
  std::vector<std::string> expected;
  AnswerCheck check = AnswerCheck::kTensors;
  // Largest difference of two floats, as a share of the largest magnitude in the expected tensor.
  // Not zero by default: a row's last bits depend on the batch that it ran in.
  double tolerance = 1e-4;
  double weight = 1;            // share in the mix, relative to the other payloads
  std::int64_t timeout_us = 0;  // sent as grpc-timeout and kept on this side as well; 0: none
  std::vector<std::pair<std::string, std::string>> metadata;  // lower case names
  // An address of this machine that its calls come from, on connections of their own: payloads with
  // different ones are different clients to a server. Empty: whatever the system takes.
  std::string source;
};

enum class LoadMode {
  kOpen,    // calls leave by the clock, whatever the server does
  kClosed,  // `concurrency` callers, each waits for its answer before the next call
};
enum class Arrivals { kPoisson, kConstant };

// The rate goes linearly from one value to the other. Steps, ramps, spikes and soaks are lists of
// these.
struct RateSegment {
  double duration_s = 0;
  double rate_start = 0;  // calls per second
  double rate_end = 0;
};

struct LoadOptions {
  std::string host = "127.0.0.1";  // an address or a name to resolve
  std::uint16_t port = 8001;
  std::vector<LoadPayload> payloads;
  int connections = 4;  // each call uses one of them, in turn; so many for every source
  LoadMode mode = LoadMode::kOpen;

  Arrivals arrivals = Arrivals::kPoisson;
  std::vector<RateSegment> segments;  // open loop: the whole schedule

  int concurrency = 1;            // closed loop: calls in flight, over all connections
  double duration_s = 10;         // closed loop
  std::int64_t requests_max = 0;  // both: ends after so many calls; 0: no limit

  double warmup_s = 0;     // calls sent before the schedule begins; counted nowhere
  std::uint64_t seed = 1;  // of arrivals and mix: the same seed, the same schedule
  // A call that is due while so many are unanswered is not sent but counted as generator_limited.
  std::int64_t in_flight_max = 100'000;
  double connect_timeout_s = 5;      // also: how long a run goes on when every connection is lost
  double stall_timeout_s = 30;       // ends the run when calls wait and no answer came for so long
  double drain_timeout_s = 10;       // how long the last answers are waited for
  bool keep_second_buckets = false;  // fill LoadSecond::buckets
};

// A bucket of a histogram: about 0.8 % wide, named by its middle.
struct LoadBucket {
  double value_us = 0;
  std::int64_t count = 0;
};

// Only buckets that are not empty, in rising order.
struct LoadHistogram {
  std::int64_t count = 0;
  double mean_us = 0;
  double min_us = 0;  // exact, as max_us
  double max_us = 0;
  std::vector<LoadBucket> buckets;

  // The nearest rank: the smallest value that at least `percent` % of all do not exceed. 0 without
  // any value.
  double PercentileUs(double percent) const;
};

// Every call offered ends in exactly one of the counts marked *, so that
// offered = the sum of these once the run has ended.
struct LoadCounts {
  std::int64_t offered = 0;              // calls that were due
  std::int64_t sent = 0;                 // of these, handed to a connection
  std::int64_t ok = 0;                   // * OK, right, and before its deadline
  std::int64_t wrong = 0;                // * OK, but not the answer that was expected
  std::int64_t shed = 0;                 // * RESOURCE_EXHAUSTED
  std::int64_t deadline_missed = 0;      // * DEADLINE_EXCEEDED, given up, or answered too late
  std::int64_t errors = 0;               // * any other gRPC status
  std::int64_t transport_errors = 0;     // * no gRPC status: connection lost, stream reset, garbage
  std::int64_t unanswered = 0;           // * still waiting when the run ended
  std::int64_t generator_limited = 0;    // * not sent: in_flight_max was reached
  std::map<int, std::int64_t> statuses;  // by canonical code, of every call that got one
};

// One second of the run. Calls offered and sent belong to the second they were due in, everything
// else to the second in which it was known.
struct LoadSecond {
  std::int64_t index = 0;  // seconds since the schedule began
  std::int64_t offered = 0;
  std::int64_t sent = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;     // everything marked * but ok
  std::int64_t in_flight = 0;  // at its end
  double p50_us = 0;
  double p99_us = 0;
  double max_us = 0;
  std::vector<LoadBucket> buckets;  // of latency; see keep_second_buckets
};

struct LoadPayloadResult {
  LoadCounts counts;
  LoadHistogram latency;
};

// An error text and how often it came.
struct LoadFailureExample {
  std::string text;
  std::int64_t count = 0;
};

enum class LoadEnd {
  kRunning,
  kFinished,      // the schedule was worked off
  kStopped,       // by Stop
  kNotConnected,  // the server could not be reached at all
  kDisconnected,  // every connection was lost and none came back
  kStalled,       // see stall_timeout_s
};

struct LoadResult {
  LoadEnd end = LoadEnd::kRunning;
  std::string failure;  // one line for people, unless finished or stopped
  // How much of the schedule was worked off (the warm-up is not part of it), and the time from its
  // beginning until that was done and the last answer was there: what counts are divided by.
  double duration_s = 0;
  double elapsed_s = 0;

  LoadCounts counts;
  std::vector<LoadPayloadResult> payloads;  // in the order of the options
  // From the time a call was due to the end of its answer. Holds ok calls, and, with the time
  // waited, calls that missed their deadline or got no answer at all: a tail is never flattered.
  LoadHistogram latency;
  // The same from the time the call was really sent: what a closed-loop tool would report.
  LoadHistogram latency_from_send;
  // From the time a call was due until it was refused: of the calls that were shed.
  LoadHistogram shed_latency;
  // How late calls were sent. A run whose p99 here is not far below what it measures is no result.
  LoadHistogram schedule_error;
  std::vector<LoadSecond> seconds;
  std::vector<LoadFailureExample> examples;  // up to 16 different texts

  std::int64_t warmup_calls = 0;
  std::int64_t connections_lost = 0;
  // Calls that waited for a free HTTP/2 stream: the server's SETTINGS_MAX_CONCURRENT_STREAMS is
  // too low for the connections used. Their waiting is in the latency.
  std::int64_t stream_limited = 0;
  std::int64_t stream_limit = 0;  // what the server allows on a connection, the smallest
  // Of the generator's thread. It spins on the clock when a call is due soon, so CPU says little;
  // busy_share is the share of time with something to send or to receive. Near 1: the generator
  // was the limit.
  double cpu_s = 0;
  double busy_share = 0;
};

// For a progress bar; cheap.
struct LoadProgress {
  LoadEnd end = LoadEnd::kRunning;
  bool connected = false;
  bool warming = false;
  double elapsed_s = 0;  // since the schedule began
  double total_s = 0;    // of the schedule
  std::int64_t offered = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;
  std::int64_t in_flight = 0;
  double p50_us = 0;  // of the last whole second
  double p99_us = 0;
};

// One measurement. Create, Start, then Wait (or Snapshot until end != kRunning), then Result.
class LoadRun final {
 public:
  // Checks the options and resolves the host; nothing is sent. Null and `error` on failure.
  static std::unique_ptr<LoadRun> Create(LoadOptions options, Error* error);

  // Stops and joins.
  ~LoadRun();
  LoadRun(const LoadRun&) = delete;
  LoadRun& operator=(const LoadRun&) = delete;

  // Starts the thread. Once.
  void Start();

  // The rest: any thread, after Start.

  // At most a tenth of a second old.
  LoadProgress Snapshot() const;
  // Whole seconds from index `from` on that have passed.
  std::vector<LoadSecond> Seconds(std::int64_t from) const;
  // Ends the run at once; what waits for an answer counts as unanswered. Does not block.
  void Stop();
  // Blocks until the run has ended, or for `timeout_s`. True: it has ended.
  bool Wait(double timeout_s);
  // What was measured; valid once the run has ended.
  const LoadResult& Result() const;

 private:
  class Impl;
  explicit LoadRun(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One call on a connection of its own, for metadata and the like. Blocks.
struct UnaryAnswer {
  int code = 0;                // canonical gRPC code; UNAVAILABLE where there was no gRPC answer
  std::string status_message;  // one line
  std::string message;         // the reply, where the code is OK
};
UnaryAnswer UnaryCall(const std::string& host, std::uint16_t port, const std::string& path,
                      const std::string& message, double timeout_s);

}  // namespace penstock
