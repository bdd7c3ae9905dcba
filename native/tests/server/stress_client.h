// One thread's worth of clients that misbehave in every way that real ones do: cancels at any
// moment, lost connections, short deadlines, split and large messages. Good answers are checked.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "support/infer_messages.h"
#include "support/random_source.h"
#include "support/socket_client.h"

namespace penstock {

// How the requests ended, as their client saw it.
struct StressTotals {
  std::int64_t started = 0;
  std::int64_t good = 0;           // answered and right
  std::int64_t expired = 0;        // DEADLINE_EXCEEDED, or refused since it would be
  std::int64_t cancelled = 0;      // reset by the client
  std::int64_t lost = 0;           // with their connection, or with the server
  std::vector<std::string> wrong;  // what must not happen

  void Add(const StressTotals& other);
};

class StressClient final {
 public:
  // An answer known beforehand: a request and the bytes of its output.
  struct Sample {
    std::string model;
    RawTensor input;
    std::string output;
    float tolerance = 0;  // absolute, between floats; 0: the same bytes
  };

  // Once `stopping` is true the server may refuse, cut off and close what it likes; what it
  // answers must still be right. It outlives the client.
  StressClient(std::uint16_t port, std::uint64_t seed, const std::vector<Sample>& small,
               const Sample& large, const std::atomic<bool>& stopping)
      : port_(port),
        random_(seed),
        seed_(seed),
        small_(small),
        large_(large),
        stopping_(stopping) {}

  // That many, or until the server stops.
  StressTotals Run(std::int64_t requests);

 private:
  struct Open {
    const Sample* sample = nullptr;
    std::string id;
    std::string rest;  // of the message, not yet given
    bool has_deadline = false;
    bool reset = false;
  };

  // One connection, from its start to its end, good or bad.
  void Live(std::int64_t requests);
  void StartRequest();
  void DisturbOne();
  void CollectEnded();
  void Check(const Open& open, const Http2Client::Reply& reply);
  void Wrong(const std::string& what);

  const std::uint16_t port_;
  RandomSource random_;
  const std::uint64_t seed_;
  const std::vector<Sample>& small_;
  const Sample& large_;
  const std::atomic<bool>& stopping_;
  StressTotals totals_;
  std::unique_ptr<SocketClient> client_;
  std::map<std::int32_t, Open> open_;
};

}  // namespace penstock
