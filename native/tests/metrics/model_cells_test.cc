// Buckets and sums over loops.
#include "metrics/model_cells.h"

#include <gtest/gtest.h>

namespace penstock::metrics {
namespace {

std::size_t DurationBucket(TimeNs value) {
  DurationCells cells;
  cells.Record(value);
  DurationCells::Sums sums;
  cells.AddTo(sums);
  for (std::size_t i = 0; i < sums.counts.size(); ++i) {
    if (sums.counts[i] == 1) return i;
  }
  return sums.counts.size();
}

TEST(DurationCellsTest, BucketHoldsItsUpperBound) {
  EXPECT_EQ(DurationBucket(0), 0U);
  EXPECT_EQ(DurationBucket(1'024), 0U);
  EXPECT_EQ(DurationBucket(1'025), 1U);
  EXPECT_EQ(DurationBucket(2'048), 1U);
  EXPECT_EQ(DurationBucket(2'049), 2U);
  EXPECT_EQ(DurationBucket(TimeNs{1'024} << 24), 24U);
  EXPECT_EQ(DurationBucket((TimeNs{1'024} << 24) + 1), 25U) << "the last is all that is larger";
  EXPECT_EQ(DurationBucket(kNever), 25U);
}

TEST(DurationCellsTest, NegativeIsNothing) {
  DurationCells cells;
  cells.Record(-5);
  DurationCells::Sums sums;
  cells.AddTo(sums);
  EXPECT_EQ(sums.count(), 1);
  EXPECT_EQ(sums.sum, 0);
}

TEST(RowCellsTest, OneRowHasABucketOfItsOwn) {
  RowCells cells;
  for (const std::int64_t rows : {1, 2, 3, 4, 65'536, 65'537}) cells.Record(rows);
  RowCells::Sums sums;
  cells.AddTo(sums);
  EXPECT_EQ(sums.counts[0], 1);
  EXPECT_EQ(sums.counts[1], 1);
  EXPECT_EQ(sums.counts[2], 2);
  EXPECT_EQ(sums.counts[16], 1);
  EXPECT_EQ(sums.counts[17], 1);
  EXPECT_EQ(sums.sum, 10 + 65'536 + 65'537);
}

TEST(ModelCellsTest, LoopsAreSummed) {
  ModelCells first;
  ModelCells second;
  first.AddAnswer({.arrived_at = 100, .started_at = 150, .ended_at = 350, .rows = 2});
  second.AddAnswer({.arrived_at = 120, .started_at = 150, .ended_at = 350, .rows = 3});
  first.AddRun(200, 5);
  second.AddFailure(StatusCode::kDeadlineExceeded, 70);
  ModelCounts counts;
  first.AddTo(counts);
  second.AddTo(counts);
  EXPECT_EQ(counts.ok(), 2);
  EXPECT_EQ(counts.failed(), 1);
  EXPECT_EQ(counts.calls[static_cast<std::size_t>(StatusCode::kDeadlineExceeded)], 1);
  EXPECT_EQ(counts.rows, 5);
  EXPECT_EQ(counts.queue.sum, 50 + 30);
  EXPECT_EQ(counts.total.sum, 250 + 230);
  EXPECT_EQ(counts.failed_time, 70);
  EXPECT_EQ(counts.runs(), 1);
  EXPECT_EQ(counts.run.sum, 200);
  EXPECT_EQ(counts.batch_rows.sum, 5);
  EXPECT_EQ(counts.last_answer_at, 350);
}

}  // namespace
}  // namespace penstock::metrics
