// The answers that one loop gives in one turn, counted together once all of them are encoded: calls
// that shared a turn and a run share every time, so a batch costs what a call would. The loop's
// thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "metrics/model_cells.h"

namespace penstock::metrics {

class AnswerTally final {
 public:
  bool empty() const { return groups_.empty(); }

  void Add(ModelCells& cells, const CallTimes& times, std::int64_t rows) {
    if (groups_.empty() || groups_.back().cells != &cells || groups_.back().times != times) {
      groups_.push_back({.cells = &cells, .times = times});
    }
    ++groups_.back().calls;
    groups_.back().rows += rows;
  }

  // Before anything of them is sent: who has an answer finds it counted.
  void Count(TimeNs now) {
    for (const Group& group : groups_) {
      group.cells->AddAnswers(group.calls, group.rows);
      group.cells->AddTimes(group.times, now, group.calls);
    }
    groups_.clear();
  }

 private:
  struct Group {
    ModelCells* cells = nullptr;
    CallTimes times;
    std::int64_t calls = 0;
    std::int64_t rows = 0;
  };
  std::vector<Group> groups_;
};

}  // namespace penstock::metrics
