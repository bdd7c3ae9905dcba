#include "batching/service_time.h"

#include <algorithm>
#include <bit>
#include <iterator>

namespace penstock {
namespace {

constexpr std::int64_t kRowUnit = 256;  // rows are kept in fixed point
// Of the distance to each new value: about the last sixteen runs count.
constexpr std::int64_t kMeanWeight = 16;
// A quantile moves by this part of itself for every run.
constexpr std::int64_t kQuantileWeight = 64;
constexpr std::int64_t kOutlierFactor = 4;

// `time` times part / whole, ten years at most. In doubles: the product may be huge.
TimeNs Share(TimeNs time, std::int64_t part, std::int64_t whole) {
  constexpr double kMost = 3.2e17;
  const double share =
      static_cast<double>(time) * static_cast<double>(part) / static_cast<double>(whole);
  return static_cast<TimeNs>(std::min(share, kMost));
}

// Steps up by p and down by 1 - p in proportion, which rests where p of the runs are below.
TimeNs StepQuantile(TimeNs quantile, TimeNs duration, std::int64_t percent) {
  const TimeNs step = std::max<TimeNs>(quantile / kQuantileWeight, 1);
  if (duration > quantile) return quantile + std::max<TimeNs>(step * percent / 100, 1);
  return quantile - step * (100 - percent) / 100;
}

}  // namespace

ServiceTime::ServiceTime(std::span<const BatchDuration> durations)
    : warm_(durations.begin(), durations.end()) {
  std::ranges::sort(warm_);
  for (const auto& [rows, duration] : durations) {
    Cells& cells = cells_[IndexOf(rows)];
    cells.Set(kRows, rows * kRowUnit);
    for (const Column column : {kMean, kP50}) cells.Set(column, duration);
    // Warm-up takes the shortest of several; a server at work will be slower at times.
    cells.Set(kP90, duration + duration / 4);
    cells.Set(kP99, duration + duration / 2);
  }
}

std::size_t ServiceTime::IndexOf(std::int64_t rows) {
  const auto above_one = static_cast<std::uint64_t>(std::max<std::int64_t>(rows, 1) - 1);
  return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(above_one)), kBuckets - 1);
}

void ServiceTime::Observe(std::int64_t rows, TimeNs duration) {
  duration = std::max<TimeNs>(duration, 1);
  const std::size_t index = IndexOf(rows);
  last_index_.store(index, std::memory_order_relaxed);
  Cells& cells = cells_[index];
  const std::int64_t runs = cells.Get(kRuns);
  cells.Set(kRuns, runs + 1);
  if (cells.Get(kMean) == 0) {
    cells.Set(kRows, rows * kRowUnit);
    for (const Column column : {kP50, kP90, kP99, kMean}) cells.Set(column, duration);
    return;
  }
  const TimeNs mean = cells.Get(kMean);
  const TimeNs held = std::min(duration, mean * kOutlierFactor);
  const std::int64_t rows_before = cells.Get(kRows);
  const TimeNs expected = std::max<TimeNs>(Predict(rows), 1);
  const TimeNs mean_after = std::max<TimeNs>(mean + (held - mean) / kMeanWeight, 1);
  cells.Set(kRows, rows_before + (rows * kRowUnit - rows_before) / kMeanWeight);
  cells.Set(kMean, mean_after);
  // Quantiles are of how far runs are from what is expected of their size, and move with the mean:
  // the larger runs of a bucket would else pass for slow ones, and a bucket whose runs become
  // smaller would go on to expect of them what larger ones took.
  const TimeNs alike = Share(mean, duration, expected);
  for (const auto& [column, percent] : kQuantiles) {
    const TimeNs stepped = StepQuantile(cells.Get(column), alike, percent);
    cells.Set(column, std::max<TimeNs>(Share(stepped, mean_after, mean), 1));
  }
}

TimeNs ServiceTime::Predict(std::int64_t rows) const {
  return Interpolate(kMean, rows);
}

TimeNs ServiceTime::EstimateOne() const {
  const Cells& cells = cells_[LastIndex()];
  const auto mean = static_cast<double>(cells.Get(kMean));
  const double rows = static_cast<double>(cells.Get(kRows)) / kRowUnit;
  if (warm_.empty() || rows <= 1) return cells.Get(kMean);
  // Warm-up's time for as many rows: between its points by interpolation, above them in proportion.
  const auto above = std::ranges::find_if(
      warm_, [rows](const BatchDuration& warm) { return static_cast<double>(warm.first) >= rows; });
  const BatchDuration& high = above == warm_.end() ? warm_.back() : *above;
  const BatchDuration low =
      above == warm_.end() || above == warm_.begin() ? BatchDuration{0, 0} : *std::prev(above);
  const double part =
      (rows - static_cast<double>(low.first)) / static_cast<double>(high.first - low.first);
  const double warm =
      static_cast<double>(low.second) + part * static_cast<double>(high.second - low.second);
  return static_cast<TimeNs>(mean * static_cast<double>(warm_.front().second) /
                             std::max(warm, 1.0));
}

TimeNs ServiceTime::PredictHigh(std::int64_t rows) const {
  return std::max(Interpolate(kP90, rows), Interpolate(kMean, rows));
}

TimeNs ServiceTime::Interpolate(Column column, std::int64_t rows) const {
  std::int64_t low_rows = 0;
  TimeNs low = 0;
  const std::int64_t wanted = rows * kRowUnit;
  for (const Cells& cells : cells_) {
    if (cells.Get(kMean) == 0) continue;
    const std::int64_t at = cells.Get(kRows);
    const TimeNs value = std::max(low, cells.Get(column));
    if (at >= wanted) {
      if (low_rows == 0 || at == low_rows) return value;
      return low + Share(value - low, wanted - low_rows, at - low_rows);
    }
    low_rows = at;
    low = value;
  }
  if (low_rows == 0) return 0;
  // Beyond what was measured it grows with the rows, at worst.
  return Share(low, wanted, low_rows);
}

std::int64_t ServiceTime::RowsWithin(std::int64_t rows_max, TimeNs budget) const {
  return RowsWithin(kMean, rows_max, budget);
}

std::int64_t ServiceTime::RowsWithinHigh(std::int64_t rows_max, TimeNs budget) const {
  return RowsWithin(kP90, rows_max, budget);
}

std::int64_t ServiceTime::RowsWithin(Column column, std::int64_t rows_max, TimeNs budget) const {
  if (Interpolate(column, rows_max) <= budget) return rows_max;
  std::int64_t fits = 0;
  std::int64_t too_many = rows_max;
  while (too_many - fits > 1) {
    const std::int64_t middle = fits + (too_many - fits) / 2;
    if (Interpolate(column, middle) <= budget) {
      fits = middle;
    } else {
      too_many = middle;
    }
  }
  return fits;
}

std::int64_t ServiceTime::RowsForShare(std::int64_t rows_max, double share) const {
  const auto speed = [this](std::int64_t rows) {
    return static_cast<double>(rows) / static_cast<double>(std::max<TimeNs>(Predict(rows), 1));
  };
  if (Predict(rows_max) == 0) return rows_max;
  const double wanted = share * speed(rows_max);
  std::int64_t too_few = 0;
  std::int64_t enough = rows_max;
  while (enough - too_few > 1) {
    const std::int64_t middle = too_few + (enough - too_few) / 2;
    (speed(middle) >= wanted ? enough : too_few) = middle;
  }
  return enough;
}

ServiceTime::Line ServiceTime::Fit() const {
  double n = 0, sum_rows = 0, sum_time = 0, sum_rows_rows = 0, sum_rows_time = 0;
  for (const Bucket& bucket : Buckets()) {
    const auto time = static_cast<double>(bucket.mean_ns);
    // By relative error: a run of one row matters as much as one of many.
    const double weight = 1 / (time * time);
    n += weight;
    sum_rows += weight * bucket.rows_mean;
    sum_time += weight * time;
    sum_rows_rows += weight * bucket.rows_mean * bucket.rows_mean;
    sum_rows_time += weight * bucket.rows_mean * time;
  }
  if (n == 0) return {};
  const double spread = n * sum_rows_rows - sum_rows * sum_rows;
  // One size alone says nothing of the slope: all of it counts as the rows'.
  if (spread <= 1e-9 * n * sum_rows_rows) return {.ns_per_row = sum_time / sum_rows};
  const double slope = std::max(0.0, (n * sum_rows_time - sum_rows * sum_time) / spread);
  return {.t0_ns = std::max(0.0, (sum_time - slope * sum_rows) / n), .ns_per_row = slope};
}

std::vector<ServiceTime::Bucket> ServiceTime::Buckets() const {
  std::vector<Bucket> buckets;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const Cells& cells = cells_[i];
    if (cells.Get(kMean) == 0) continue;
    buckets.push_back({.rows_max = std::int64_t{1} << i,
                       .runs = cells.Get(kRuns),
                       .rows_mean = static_cast<double>(cells.Get(kRows)) / kRowUnit,
                       .mean_ns = cells.Get(kMean),
                       .p50_ns = cells.Get(kP50),
                       .p90_ns = cells.Get(kP90),
                       .p99_ns = cells.Get(kP99)});
  }
  return buckets;
}

}  // namespace penstock
