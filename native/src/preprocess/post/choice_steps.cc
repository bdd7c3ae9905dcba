// What a model decided: argmax, top-k, threshold, and the labels of all three.
#include <cstring>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "preprocess/post/floats.h"
#include "preprocess/post/ports.h"
#include "preprocess/post/post_steps.h"
#include "tensor/label_list.h"
#include "tensor/ranking.h"

namespace penstock::preprocess {
namespace {

// A BYTES tensor of the labels of `indices`, which are all below labels.size().
TensorView Lookup(const LabelList& labels, std::span<const std::int64_t> indices,
                  const Shape& shape, TensorArena& arena) {
  std::size_t size = 0;
  for (const std::int64_t index : indices) {
    size += labels.Encoded(static_cast<std::size_t>(index)).size();
  }
  const std::span<std::byte> data = arena.Get(size);
  std::byte* to = data.data();
  for (const std::int64_t index : indices) {
    const std::span<const std::byte> label = labels.Encoded(static_cast<std::size_t>(index));
    std::memcpy(to, label.data(), label.size());
    to += label.size();
  }
  return {.dtype = DataType::kBytes, .shape = shape, .data = data};
}

// The `k` largest of each row of `width` values.
template <typename T>
std::span<std::int64_t> RankRows(std::span<const T> values, std::size_t width, std::size_t k,
                                 TensorArena& arena) {
  const std::size_t rows = width == 0 ? 0 : values.size() / width;
  const std::span<std::int64_t> best = TakeValues<std::int64_t>(arena, rows * k);
  for (std::size_t row = 0; row < rows; ++row) {
    RankLargest(values.subspan(row * width, width), best.subspan(row * k, k));
  }
  return best;
}

class TopK final : public Transform {
 public:
  explicit TopK(const TopKStep& step) : k_(step.k), labels_(step.labels) { CHECK_GE(k_, 1); }

  std::span<const TransformPort> inputs() const override { return {}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    RETURN_IF_ERROR(ExpectFloatRows(inputs));
    const Shape& row = inputs[0].row_shape;
    if (LastOf(row) >= 0) RETURN_IF_ERROR(CheckWidth(LastOf(row)));
    Shape chosen = WithoutLast(row);
    chosen.Append(k_);
    std::vector<TransformPort> made = {{.dtype = inputs[0].dtype, .row_shape = chosen},
                                       {.dtype = DataType::kInt64, .row_shape = chosen}};
    if (!labels_.empty()) made.push_back({.dtype = DataType::kBytes, .row_shape = chosen});
    return made;
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t /*rows*/, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    const TensorView& input = inputs[0];
    // Only a width that the model leaves open can be wrong now, and it is the model's doing.
    const Status fits = CheckWidth(LastOf(input.shape));
    if (!fits.ok()) return Internal(StrCat("top_k: ", fits.message()));
    const auto width = static_cast<std::size_t>(LastOf(input.shape));
    const auto k = static_cast<std::size_t>(k_);
    Shape shape = WithoutLast(input.shape);
    shape.Append(k_);
    VisitFloats(input, arena, [&]<typename T>(std::span<const T> values) {
      const std::span<std::int64_t> best = RankRows(values, width, k, arena);
      const std::span<T> chosen = TakeValues<T>(arena, best.size());
      for (std::size_t i = 0; i < best.size(); ++i) {
        chosen[i] = values[i / k * width + static_cast<std::size_t>(best[i])];
      }
      outputs[0] = StoreFloats(std::span<const T>(chosen), input.dtype, shape, arena);
      outputs[1] = {.dtype = DataType::kInt64, .shape = shape, .data = std::as_bytes(best)};
      if (!labels_.empty()) outputs[2] = Lookup(labels_, best, shape, arena);
    });
    return {};
  }
  bool brief() const override { return true; }

 private:
  Status CheckWidth(std::int64_t width) const {
    if (k_ > width) {
      return InvalidArgument(StrCat("k is ", k_, ", and a row has ", width, " values"));
    }
    if (labels_.empty() || static_cast<std::int64_t>(labels_.size()) == width) return {};
    return InvalidArgument(StrCat(labels_.size(), " labels for a row of ", width,
                                  " values; one for each is expected"));
  }

  const std::int64_t k_;
  const LabelList labels_;
};

class Argmax final : public Transform {
 public:
  std::span<const TransformPort> inputs() const override { return {}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    RETURN_IF_ERROR(ExpectFloatRows(inputs));
    if (LastOf(inputs[0].row_shape) == 0) return InvalidArgument("a row has no values");
    return std::vector<TransformPort>{
        {.dtype = DataType::kInt64, .row_shape = WithoutLast(inputs[0].row_shape)}};
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t /*rows*/, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    const TensorView& input = inputs[0];
    const auto width = static_cast<std::size_t>(LastOf(input.shape));
    if (width == 0) return Internal("argmax: the model made rows without values");
    outputs[0] = VisitFloats(input, arena, [&]<typename T>(std::span<const T> values) {
      return TensorView{.dtype = DataType::kInt64,
                        .shape = WithoutLast(input.shape),
                        .data = std::as_bytes(RankRows(values, width, 1, arena))};
    });
    return {};
  }
  bool brief() const override { return true; }
};

class Threshold final : public Transform {
 public:
  explicit Threshold(const ThresholdStep& step) : at_(step.at), labels_(step.labels) {
    CHECK(labels_.empty() || labels_.size() == 2);
  }

  std::span<const TransformPort> inputs() const override { return {}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    RETURN_IF_ERROR(ExpectFloats(inputs));
    return std::vector<TransformPort>{
        {.dtype = labels_.empty() ? DataType::kBool : DataType::kBytes,
         .row_shape = inputs[0].row_shape}};
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t /*rows*/, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    const TensorView& input = inputs[0];
    outputs[0] = VisitFloats(input, arena, [&]<typename T>(std::span<const T> values) {
      const T at = static_cast<T>(at_);
      if (labels_.empty()) {
        const std::span<bool> reached = TakeValues<bool>(arena, values.size());
        for (std::size_t i = 0; i < values.size(); ++i) reached[i] = values[i] >= at;
        return TensorView{
            .dtype = DataType::kBool, .shape = input.shape, .data = std::as_bytes(reached)};
      }
      const std::span<std::int64_t> chosen = TakeValues<std::int64_t>(arena, values.size());
      for (std::size_t i = 0; i < values.size(); ++i) chosen[i] = values[i] >= at ? 1 : 0;
      return Lookup(labels_, chosen, input.shape, arena);
    });
    return {};
  }
  bool brief() const override { return true; }

 private:
  const double at_;
  const LabelList labels_;
};

class Labels final : public Transform {
 public:
  explicit Labels(const LabelsStep& step) : labels_(step.labels) {}

  std::span<const TransformPort> inputs() const override { return {}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    RETURN_IF_ERROR(ExpectOne(inputs));
    if (inputs[0].dtype != DataType::kInt64) {
      return InvalidArgument(
          StrCat("it takes INT64 indices, and is given ", DataTypeName(inputs[0].dtype)));
    }
    return std::vector<TransformPort>{
        {.dtype = DataType::kBytes, .row_shape = inputs[0].row_shape}};
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    const std::span<const std::int64_t> indices = ValuesOf<std::int64_t>(inputs[0]);
    const auto count = static_cast<std::int64_t>(labels_.size());
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (indices[i] >= 0 && indices[i] < count) continue;
      const std::size_t row_elements = indices.size() / static_cast<std::size_t>(rows);
      return Internal(StrCat("row ", i / row_elements, ": labels: the model answered ", indices[i],
                             ", and there are ", count, " labels"));
    }
    outputs[0] = Lookup(labels_, indices, inputs[0].shape, arena);
    return {};
  }
  bool brief() const override { return true; }

 private:
  const LabelList labels_;
};

}  // namespace

std::shared_ptr<const Transform> MakeTopK(const TopKStep& step) {
  return std::make_shared<TopK>(step);
}
std::shared_ptr<const Transform> MakeArgmax() {
  return std::make_shared<Argmax>();
}
std::shared_ptr<const Transform> MakeThreshold(const ThresholdStep& step) {
  return std::make_shared<Threshold>(step);
}
std::shared_ptr<const Transform> MakeLabels(const LabelsStep& step) {
  return std::make_shared<Labels>(step);
}

}  // namespace penstock::preprocess
