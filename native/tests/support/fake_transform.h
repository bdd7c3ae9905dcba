// Transforms by hand: what they take and make, and the arithmetic, are what a test says.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "preprocess/transform.h"

namespace penstock {

class FakeTransform final : public Transform {
 public:
  using Compute = std::function<Status(std::span<const TensorView> inputs, std::int64_t rows,
                                       TensorArena& arena, std::span<TensorView> outputs)>;

  std::vector<TransformPort> takes;  // none: whatever it is given
  std::vector<TransformPort> makes;
  Compute compute;
  std::function<std::int64_t(std::span<const TensorView> inputs)> estimate;  // none: 0
  bool is_brief = true;
  bool shares = false;  // runs
  std::int64_t row_bytes_max = 0;

  std::span<const TransformPort> inputs() const override { return takes; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> /*inputs*/) const override {
    if (makes.empty()) return InvalidArgument("it makes nothing of that");
    return makes;
  }
  Status Run(std::span<const TensorView> given, std::int64_t rows, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    return compute(given, rows, arena, outputs);
  }
  std::int64_t RowBytesMax() const override { return row_bytes_max; }
  std::int64_t EstimateLength(std::span<const TensorView> given) const override {
    return estimate ? estimate(given) : 0;
  }
  bool shares_runs() const override { return shares; }
  bool brief() const override { return is_brief; }
};

// Floats in, floats out, each through `change`; of one shape.
inline std::shared_ptr<FakeTransform> FloatTransform(const Shape& row_shape,
                                                     const std::function<float(float)>& change) {
  auto made = std::make_shared<FakeTransform>();
  made->takes = {{.dtype = DataType::kFp32, .row_shape = row_shape}};
  made->makes = made->takes;
  made->compute = [change](std::span<const TensorView> inputs, std::int64_t rows,
                           TensorArena& arena, std::span<TensorView> outputs) -> Status {
    const std::span<const std::byte> from = inputs[0].data;
    const std::span<std::byte> to = arena.Get(from.size());
    for (std::size_t at = 0; at < from.size(); at += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, from.data() + at, sizeof value);
      if (value < 0) return InvalidArgument("row 0: a negative value");
      value = change(value);
      std::memcpy(to.data() + at, &value, sizeof value);
    }
    outputs[0] = inputs[0];
    outputs[0].shape.Set(0, rows);
    outputs[0].data = to;
    return {};
  };
  return made;
}

}  // namespace penstock
