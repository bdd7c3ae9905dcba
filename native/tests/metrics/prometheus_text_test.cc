// The text format against text by hand; a real parser reads it in tests/integration.
#include "metrics/prometheus_text.h"

#include <gtest/gtest.h>

namespace penstock::metrics {
namespace {

std::string AfterHeader(const std::string& text) {
  return text.substr(text.find('\n', text.find("# TYPE")) + 1);
}

TEST(PrometheusTextTest, MetricIsDescribedOnce) {
  PrometheusText text;
  text.Begin(Metric::kConnections);
  text.Add({}, std::int64_t{3});
  EXPECT_EQ(text.Take(),
            "# HELP penstock_connections Connections open now.\n"
            "# TYPE penstock_connections gauge\n"
            "penstock_connections 3\n");
}

TEST(PrometheusTextTest, LabelValues_AreEscaped) {
  PrometheusText text;
  text.Begin(Metric::kModelRowsTotal);
  text.Add({{"model", "a\"b\\c\nd"}, {"version", "1"}}, std::int64_t{1});
  EXPECT_EQ(AfterHeader(text.Take()),
            "penstock_model_rows_total{model=\"a\\\"b\\\\c\\nd\",version=\"1\"} 1\n");
}

TEST(PrometheusTextTest, HistogramBuckets_AreCumulative) {
  PrometheusText text;
  text.Begin(Metric::kModelRunSeconds);
  text.AddHistogram({{"model", "m"}}, Buckets<3>{.counts = {2, 1, 4}, .sum = 1500}, 500, 1e3);
  EXPECT_EQ(AfterHeader(text.Take()),
            "penstock_model_run_seconds_bucket{model=\"m\",le=\"0.5\"} 2\n"
            "penstock_model_run_seconds_bucket{model=\"m\",le=\"1\"} 3\n"
            "penstock_model_run_seconds_bucket{model=\"m\",le=\"+Inf\"} 7\n"
            "penstock_model_run_seconds_sum{model=\"m\"} 1.5\n"
            "penstock_model_run_seconds_count{model=\"m\"} 7\n");
}

}  // namespace
}  // namespace penstock::metrics
