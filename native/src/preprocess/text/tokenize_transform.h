// Texts of a request, or pairs of them, into the tensors of ids that a model takes. Any thread, as
// Transform.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <penstock/tokenizer.h>

#include "base/status.h"
#include "preprocess/text/text_encoder.h"
#include "preprocess/transform.h"

namespace penstock::preprocess {

class TokenizeTransform final : public Transform {
 public:
  static Result<std::shared_ptr<const Transform>> Create(const TokenizeStep& step);

  std::span<const TransformPort> inputs() const override { return inputs_; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override;
  std::unique_ptr<Scratch> MakeScratch() const override;
  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Scratch* scratch, std::span<TensorView> outputs) const override;
  std::int64_t RowBytesMax() const override;
  std::int64_t EstimateLength(std::span<const TensorView> inputs) const override;
  // A text at the limit costs milliseconds.
  bool brief() const override { return false; }
  std::vector<TensorView> SampleRow(TensorArena& arena) const override;

 private:
  TokenizeTransform(const TokenizeStep& step, DataType dtype,
                    std::unique_ptr<const TextEncoder> encoder);
  // Of rows whose longest encoding has `length` ids.
  TensorView MakeTensor(const EncodedTexts& encoded, std::size_t length, TextTensor tensor,
                        TensorArena& arena) const;

  const std::unique_ptr<const TextEncoder> encoder_;
  const std::vector<TransformPort> inputs_;
  const std::vector<TextTensor> tensors_;
  const TextPadding padding_;
  const DataType dtype_;
  const std::size_t length_max_;  // of a row, padding included
};

}  // namespace penstock::preprocess
