#include "preprocess/row_transform.h"

#include <cstring>
#include <string>
#include <utility>

#include "base/strings.h"
#include "tensor/bytes.h"

namespace penstock::preprocess {
namespace {

class HeldScratch final : public Transform::Scratch {
 public:
  explicit HeldScratch(std::unique_ptr<RowScratch> row) : row_(std::move(row)) {}
  RowScratch& row() { return *row_; }

 private:
  const std::unique_ptr<RowScratch> row_;
};

class RowTransform final : public Transform {
 public:
  explicit RowTransform(std::unique_ptr<const RowStage> stage)
      : stage_(std::move(stage)), input_(stage_->input()) {}

  std::span<const TransformPort> inputs() const override { return {&input_, 1}; }

  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> /*inputs*/) const override {
    return std::vector<TransformPort>{{.dtype = stage_->datatype(), .row_shape = stage_->shape()}};
  }

  std::unique_ptr<Transform::Scratch> MakeScratch() const override {
    return std::make_unique<HeldScratch>(stage_->MakeScratch());
  }

  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Transform::Scratch* scratch, std::span<TensorView> outputs) const override {
    TensorView& output = outputs.front();
    output.dtype = stage_->datatype();
    output.shape = {rows};
    for (const std::int64_t dim : stage_->shape().dims()) output.shape.Append(dim);
    const std::size_t row_bytes = stage_->row_bytes();
    const std::span<std::byte> memory = arena.Get(row_bytes * static_cast<std::size_t>(rows));
    output.data = memory;
    RowScratch& row_scratch = static_cast<HeldScratch*>(scratch)->row();
    Rows reader(inputs.front(), rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      const Status status = stage_->Run(
          reader.Next(), memory.subspan(row_bytes * static_cast<std::size_t>(row), row_bytes),
          row_scratch);
      if (status.ok()) continue;
      return status.Under(StrCat("row ", row, ": "));
    }
    return {};
  }

  bool brief() const override { return false; }

  std::vector<TensorView> SampleRow(TensorArena& arena) const override {
    const std::string sample = stage_->MakeSample();
    if (sample.empty()) return {};
    TensorView view = {.dtype = input_.dtype, .shape = {1}, .data = {}};
    for (const std::int64_t dim : input_.row_shape.dims()) view.shape.Append(dim);
    const auto bytes = std::as_bytes(std::span(sample));
    const bool strings = input_.dtype == DataType::kBytes;
    const std::span<std::byte> memory = arena.Get(bytes.size() + (strings ? kBytesLengthSize : 0));
    if (strings) {
      PutBytesElement(memory.data(), bytes);
    } else {
      std::memcpy(memory.data(), bytes.data(), bytes.size());
    }
    view.data = memory;
    return {view};
  }

 private:
  // The bytes of one row after another.
  class Rows final {
   public:
    Rows(const TensorView& tensor, std::int64_t rows)
        : strings_(tensor.dtype == DataType::kBytes),
          reader_(tensor.data),
          left_(tensor.data),
          row_bytes_(rows > 0 ? tensor.data.size() / static_cast<std::size_t>(rows) : 0) {}

    std::string_view Next() {
      std::span<const std::byte> row;
      if (strings_) {
        row = reader_.Next();
      } else {
        row = left_.first(row_bytes_);
        left_ = left_.subspan(row_bytes_);
      }
      return {reinterpret_cast<const char*>(row.data()), row.size()};
    }

   private:
    const bool strings_;
    BytesReader reader_;
    std::span<const std::byte> left_;
    const std::size_t row_bytes_;
  };

  const std::unique_ptr<const RowStage> stage_;
  const TransformPort input_;
};

}  // namespace

std::shared_ptr<const Transform> MakeRowTransform(std::unique_ptr<const RowStage> stage) {
  return std::make_shared<RowTransform>(std::move(stage));
}

}  // namespace penstock::preprocess
