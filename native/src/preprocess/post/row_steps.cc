// Softmax, sigmoid, L2 and mean pooling over tensors: row_kernels.h over each row.
#include <utility>

#include "base/strings.h"
#include "preprocess/post/floats.h"
#include "preprocess/post/ports.h"
#include "preprocess/post/post_steps.h"
#include "preprocess/post/row_kernels.h"

namespace penstock::preprocess {
namespace {

// `Kernel` turns `count` values into as many others; over each row along the last dimension where
// it is kAlongRows, else over all at once.
template <typename Kernel>
class RowStep final : public Transform {
 public:
  std::span<const TransformPort> inputs() const override { return {}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    RETURN_IF_ERROR(Kernel::kAlongRows ? ExpectFloatRows(inputs) : ExpectFloats(inputs));
    return std::vector<TransformPort>(inputs.begin(), inputs.end());
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t /*rows*/, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    const TensorView& input = inputs[0];
    outputs[0] = VisitFloats(input, arena, [&]<typename T>(std::span<const T> values) {
      const std::span<T> made = TakeValues<T>(arena, values.size());
      const std::size_t width =
          Kernel::kAlongRows ? static_cast<std::size_t>(LastOf(input.shape)) : values.size();
      for (std::size_t at = 0; at < values.size(); at += width) {
        Kernel::Row(values.data() + at, made.data() + at, width);
      }
      return StoreFloats(std::span<const T>(made), input.dtype, input.shape, arena);
    });
    return {};
  }
  bool brief() const override { return true; }
};

struct SoftmaxKernel {
  static constexpr bool kAlongRows = true;
  template <typename T>
  static void Row(const T* in, T* out, std::size_t count) {
    SoftmaxRow(in, out, count);
  }
};
struct L2NormalizeKernel {
  static constexpr bool kAlongRows = true;
  template <typename T>
  static void Row(const T* in, T* out, std::size_t count) {
    L2NormalizeRow(in, out, count);
  }
};
struct SigmoidKernel {
  static constexpr bool kAlongRows = false;
  template <typename T>
  static void Row(const T* in, T* out, std::size_t count) {
    SigmoidRow(in, out, count);
  }
};

class MeanPool final : public Transform {
 public:
  std::span<const TransformPort> inputs() const override { return {}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    if (inputs.size() != 1 && inputs.size() != 2) {
      return InvalidArgument(
          StrCat("it takes what the model makes of the tokens, and their mask where there is one; "
                 "it is given ",
                 inputs.size(), " tensors"));
    }
    const TransformPort& hidden = inputs[0];
    if (!IsFloat(hidden.dtype) || hidden.row_shape.rank() != 2) {
      return InvalidArgument(StrCat("it takes FP16, FP32 or FP64 of [tokens,values], and is given ",
                                    Describe(hidden)));
    }
    if (inputs.size() == 2) RETURN_IF_ERROR(CheckMask(inputs[1], hidden.row_shape[0]));
    return std::vector<TransformPort>{{.dtype = hidden.dtype, .row_shape = {hidden.row_shape[1]}}};
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    const TensorView& hidden = inputs[0];
    const std::int64_t tokens = hidden.shape[1];
    const std::int64_t width = hidden.shape[2];
    const std::int64_t* mask = nullptr;
    if (inputs.size() == 2) {
      if (inputs[1].shape[1] != tokens) {
        return Internal(StrCat("mean_pool: a mask of ", inputs[1].shape[1], " for ", tokens,
                               " tokens; they must be as many"));
      }
      mask = ValuesOf<std::int64_t>(inputs[1]).data();
    }
    outputs[0] = VisitFloats(hidden, arena, [&]<typename T>(std::span<const T> values) {
      const auto token_count = static_cast<std::size_t>(tokens);
      const auto columns = static_cast<std::size_t>(width);
      const std::span<T> made = TakeValues<T>(arena, static_cast<std::size_t>(rows) * columns);
      for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
        MeanPoolRow(values.data() + row * token_count * columns,
                    mask == nullptr ? nullptr : mask + row * token_count, token_count, columns,
                    made.data() + row * columns);
      }
      return StoreFloats(std::span<const T>(made), hidden.dtype, Shape{rows, width}, arena);
    });
    return {};
  }
  bool brief() const override { return true; }

 private:
  static Status CheckMask(const TransformPort& mask, std::int64_t tokens) {
    const bool fits = mask.dtype == DataType::kInt64 && mask.row_shape.rank() == 1 &&
                      (mask.row_shape[0] == tokens || mask.row_shape[0] < 0 || tokens < 0);
    if (fits) return {};
    return InvalidArgument(StrCat("the mask is ", Describe(mask), "; for ",
                                  Shape{tokens}.ToString(), " tokens it must be INT64 ",
                                  Shape{tokens}.ToString()));
  }
};

}  // namespace

std::shared_ptr<const Transform> MakeSoftmax() {
  return std::make_shared<RowStep<SoftmaxKernel>>();
}
std::shared_ptr<const Transform> MakeL2Normalize() {
  return std::make_shared<RowStep<L2NormalizeKernel>>();
}
std::shared_ptr<const Transform> MakeSigmoid() {
  return std::make_shared<RowStep<SigmoidKernel>>();
}
std::shared_ptr<const Transform> MakeMeanPool() {
  return std::make_shared<MeanPool>();
}

}  // namespace penstock::preprocess
