// See report.h.
#include "replay/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <vector>

namespace penstock::bench {
namespace {

// The nearest rank: the smallest latency that at least `share` of the requests do not exceed.
double PercentileUs(const std::vector<std::uint32_t>& sorted_ns, double share) {
  if (sorted_ns.empty()) return 0;
  const double rank = std::ceil(share * static_cast<double>(sorted_ns.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted_ns[index] / 1e3;
}

std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char character : text) {
    const bool plain = character >= 0x20 && character < 0x7f;
    if (character == '"' || character == '\\') out += '\\';
    out += plain ? character : '?';
  }
  return out + "\"";
}

}  // namespace

void PrintReport(const ReplayOptions& options, const RunState& run, const Window& window) {
  const Measurement& measured = run.measurement();
  std::vector<std::uint32_t> sorted = measured.latencies_ns;
  std::sort(sorted.begin(), sorted.end());
  const double count = std::max<double>(1, static_cast<double>(measured.requests));
  const double duration_s = static_cast<double>(window.duration_ns) / 1e9;
  const double total_ns = std::accumulate(sorted.begin(), sorted.end(), 0.0);
  std::printf("{\"mode\": \"%s\", \"connections\": %d, \"streams\": %d, \"stream_limit\": %zu,\n",
              options.tcp ? "tcp" : "grpc", options.connections, options.streams,
              window.stream_limit);
  std::printf(
      " \"requests\": %lld, \"errors\": %lld, \"errors_ever\": %lld, \"first_error\": %s,\n",
      static_cast<long long>(measured.requests), static_cast<long long>(measured.errors),
      static_cast<long long>(run.errors_ever()), Quoted(measured.first_error).c_str());
  std::printf(" \"connections_lost\": %lld, \"first_loss\": %s,\n",
              static_cast<long long>(window.connections_lost), Quoted(window.first_loss).c_str());
  std::printf(
      " \"duration_s\": %.6f, \"requests_per_s\": %.1f, \"request_bytes\": %zu, "
      "\"received_bytes\": %llu,\n",
      duration_s, duration_s > 0 ? static_cast<double>(measured.requests) / duration_s : 0,
      run.body().size(), static_cast<unsigned long long>(measured.received_bytes));
  std::printf(
      " \"latency_us\": {\"mean\": %.2f, \"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, "
      "\"max\": %.2f},\n",
      total_ns / 1e3 / count, PercentileUs(sorted, 0.5), PercentileUs(sorted, 0.9),
      PercentileUs(sorted, 0.99), PercentileUs(sorted, 1.0));
  std::printf(" \"client_cpu_s\": %.6f", static_cast<double>(window.client_cpu_ns) / 1e9);
  if (!options.server_pids.empty()) {
    std::printf(", \"server_cpu_s\": %.6f, \"server_cpu_us_per_request\": %.4f",
                static_cast<double>(window.server_cpu_ns) / 1e9,
                static_cast<double>(window.server_cpu_ns) / 1e3 / count);
  }
  std::printf("}\n");
}

}  // namespace penstock::bench
