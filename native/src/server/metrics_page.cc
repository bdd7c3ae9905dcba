#include "server/metrics_page.h"

#include "engine/model_metrics.h"

namespace penstock {
namespace {

using metrics::Counter;
using metrics::Metric;
using metrics::PrometheusText;

void AddFrontend(PrometheusText& text, const frontend::Frontend& frontend,
                 std::int64_t loop_stalls) {
  const auto add = [&text](Metric metric, std::int64_t value) {
    text.Begin(metric);
    text.Add({}, value);
  };
  add(Metric::kConnectionsOpenedTotal, frontend.Count(Counter::kConnectionsOpened));
  add(Metric::kConnections, frontend.live_connections());
  add(Metric::kCallsAcceptedTotal, frontend.Count(Counter::kCallsAccepted));
  add(Metric::kCalls, frontend.live_calls());
  add(Metric::kCallsCancelledTotal, frontend.Count(Counter::kCallsCancelled));
  add(Metric::kCallsExpiredTotal, frontend.Count(Counter::kCallsExpired));
  add(Metric::kCallsShedTotal, frontend.Count(Counter::kCallsShed));
  add(Metric::kLoopStallsTotal, loop_stalls);
}

}  // namespace

std::string MetricsPage(ModelHost& host, const frontend::Frontend& frontend,
                        std::int64_t loop_stalls) {
  PrometheusText text;
  AddFrontend(text, frontend, loop_stalls);
  AddModelMetrics(text, host);
  return text.Take();
}

}  // namespace penstock
