// The replay client's result as one JSON object on standard output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "replay/options.h"
#include "replay/run_state.h"

namespace penstock::bench {

// What the loop itself measured around the window.
struct Window {
  std::int64_t duration_ns = 0;
  std::int64_t server_cpu_ns = 0;
  std::int64_t client_cpu_ns = 0;
  std::int64_t connections_lost = 0;
  std::string first_loss;
  std::size_t stream_limit = 0;  // smallest over the connections
};

void PrintReport(const ReplayOptions& options, const RunState& run, const Window& window);

}  // namespace penstock::bench
