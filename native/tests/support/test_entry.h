// A QueueEntry that owns its inputs and notes what was delivered. Fill it before it is queued.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>
#include <vector>

#include "base/mailbox.h"
#include "batching/output_rows.h"
#include "batching/queue_entry.h"

namespace penstock {

class TestEntry : public QueueEntry {
 public:
  ~TestEntry() { static_cast<ListLink<QueueEntry>&>(*this).Unlink(); }
  void Deliver() override { ++deliveries; }

  // An FP32 input [rows, columns] whose values count up from `first`.
  void AddInput(std::int64_t row_count, std::int64_t columns, float first) {
    auto& values = *storage_.emplace_back(std::make_unique<std::vector<float>>());
    for (std::int64_t i = 0; i < row_count * columns; ++i) {
      values.push_back(first + static_cast<float>(i));
    }
    views_.push_back({.dtype = DataType::kFp32,
                      .shape = {row_count, columns},
                      .data = std::as_bytes(std::span(values))});
    rows = row_count;
    inputs = views_;
  }
  void SetInput(const TensorView& view) {
    views_ = {view};
    inputs = views_;
    rows = view.shape.rank() > 0 ? view.shape[0] : 1;
  }
  // This entry's rows of output `index`, by what the runner says.
  std::span<const std::byte> OutputBytes(std::size_t index) const {
    const TensorView& tensor = result.outputs->tensors()[index];
    if (tensor.shape[0] == rows) return tensor.data;
    return OutputRows(*result.outputs, index,
                      {.first = result.first_row, .count = rows, .of = result.batch_rows});
  }
  std::vector<float> Output(std::size_t index) const {
    const std::span<const std::byte> mine = OutputBytes(index);
    std::vector<float> values(mine.size() / sizeof(float));
    std::memcpy(values.data(), mine.data(), mine.size());
    return values;
  }

  int deliveries = 0;  // of the home loop's thread

 private:
  std::vector<std::unique_ptr<std::vector<float>>> storage_;
  std::vector<TensorView> views_;
};

}  // namespace penstock
