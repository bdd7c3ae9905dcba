// Buckets, sums over loops, and the stages of a call.
#include "metrics/model_cells.h"

#include <gtest/gtest.h>

#include "metrics/answer_tally.h"

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
  first.AddAnswers(1, 2);
  first.AddRun(200, 5);
  second.AddAnswers(2, 3);
  second.AddFailure(StatusCode::kDeadlineExceeded, 70);
  ModelCounts counts;
  first.AddTo(counts);
  second.AddTo(counts);
  EXPECT_EQ(counts.ok(), 3);
  EXPECT_EQ(counts.failed(), 1);
  EXPECT_EQ(counts.calls[static_cast<std::size_t>(StatusCode::kDeadlineExceeded)], 1);
  EXPECT_EQ(counts.rows, 5);
  EXPECT_EQ(counts.failed_time, 70);
  EXPECT_EQ(counts.runs(), 1);
  EXPECT_EQ(counts.run.sum, 200);
  EXPECT_EQ(counts.batch_rows.sum, 5);
}

TEST(ModelCellsTest, StagesAreTheWholeCall) {
  ModelCells cells;
  const CallTimes times = {
      .arrived_at = 100, .queued_at = 103, .started_at = 150, .prepared_at = 170, .ended_at = 370};
  cells.AddTimes(times, 381, 2);
  ModelCounts counts;
  cells.AddTo(counts);
  EXPECT_EQ(counts.stage(Stage::kDecode).sum, 2 * 3);
  EXPECT_EQ(counts.stage(Stage::kQueue).sum, 2 * 47);
  EXPECT_EQ(counts.stage(Stage::kPrepare).sum, 2 * 20);
  EXPECT_EQ(counts.stage(Stage::kRun).sum, 2 * 200);
  EXPECT_EQ(counts.stage(Stage::kRespond).sum, 2 * 11);
  for (const DurationCells::Sums& stage : counts.stages) EXPECT_EQ(stage.count(), 2);
  EXPECT_EQ(counts.total.sum, 2 * 281);
  EXPECT_EQ(counts.last_answer_at, 381);
}

TEST(ModelCellsTest, NothingToPrepare_IsNoStage) {
  ModelCells cells;
  cells.AddTimes(
      {.arrived_at = 1, .queued_at = 2, .started_at = 3, .prepared_at = 3, .ended_at = 4}, 5, 1);
  ModelCounts counts;
  cells.AddTo(counts);
  EXPECT_EQ(counts.stage(Stage::kPrepare).count(), 0);
  EXPECT_EQ(counts.stage(Stage::kRun).count(), 1);
}

TEST(AnswerTallyTest, CallsOfOneRunAndTurnAreOneGroup_OthersAreNot) {
  ModelCells cells;
  ModelCells other;
  AnswerTally tally;
  const CallTimes times = {
      .arrived_at = 10, .queued_at = 11, .started_at = 12, .prepared_at = 12, .ended_at = 20};
  CallTimes later = times;
  later.arrived_at = 5;
  tally.Add(cells, times, 1);
  tally.Add(cells, times, 4);
  tally.Add(cells, later, 1);
  tally.Add(other, later, 7);
  ModelCounts before;
  cells.AddTo(before);
  EXPECT_EQ(before.ok(), 0) << "not before the turn's answers are all encoded";
  EXPECT_FALSE(tally.empty());
  tally.Count(30);
  EXPECT_TRUE(tally.empty());
  tally.Count(40);
  ModelCounts counts;
  cells.AddTo(counts);
  EXPECT_EQ(counts.ok(), 3);
  EXPECT_EQ(counts.rows, 6);
  EXPECT_EQ(counts.total.sum, 20 + 20 + 25);
  EXPECT_EQ(counts.stage(Stage::kRespond).sum, 3 * 10);
  ModelCounts of_other;
  other.AddTo(of_other);
  EXPECT_EQ(of_other.ok(), 1);
  EXPECT_EQ(of_other.rows, 7);
}

}  // namespace
}  // namespace penstock::metrics
