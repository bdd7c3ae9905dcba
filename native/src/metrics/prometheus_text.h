// PURE. Samples as Prometheus text, format 0.0.4. One metric after the other, each begun once.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "metrics/metric.gen.h"
#include "metrics/model_cells.h"

namespace penstock::metrics {

class PrometheusText final {
 public:
  // Any text as the value; it is escaped. Name and value live until the sample is added.
  using Label = std::pair<std::string_view, std::string_view>;
  using Labels = std::initializer_list<Label>;

  void Begin(Metric metric);
  void Add(Labels labels, std::int64_t value);
  void Add(Labels labels, double value);
  // `first`: the upper bound of the first bucket. Values are shown divided by `divisor`.
  template <std::size_t kBuckets>
  void AddHistogram(Labels labels, const Buckets<kBuckets>& sums, std::int64_t first,
                    double divisor) {
    std::int64_t below = 0;
    for (std::size_t i = 0; i + 1 < kBuckets; ++i) {
      below += sums.counts[i];
      AddSample("_bucket", labels, static_cast<double>(first << i) / divisor, below);
    }
    AddTotals(labels, below + sums.counts[kBuckets - 1], static_cast<double>(sums.sum) / divisor);
  }
  std::string Take() { return std::move(text_); }

 private:
  void AddSample(std::string_view suffix, Labels labels, double bound, std::int64_t value);
  void AddTotals(Labels labels, std::int64_t count, double sum);
  void AddName(std::string_view suffix, Labels labels, std::string_view bound = {});

  std::string_view name_;
  std::string text_;
};

}  // namespace penstock::metrics
