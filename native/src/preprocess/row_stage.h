// What a compiled pipeline is made of: something that turns one row of input into one row of a
// tensor, wherever the caller wants it. Knows no batch, no request and no thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "preprocess/transform.h"
#include "tensor/tensor.h"

namespace penstock::preprocess {

// Memory that a stage keeps between rows. One thread at a time.
class RowScratch {
 public:
  RowScratch() = default;
  RowScratch(const RowScratch&) = delete;
  RowScratch& operator=(const RowScratch&) = delete;
  virtual ~RowScratch() = default;
};

// Immutable after construction; any thread, each with a scratch of its own.
class RowStage {
 public:
  RowStage() = default;
  RowStage(const RowStage&) = delete;
  RowStage& operator=(const RowStage&) = delete;
  virtual ~RowStage() = default;

  // What a row is made from: BYTES without a dimension, or elements of a fixed number.
  virtual TransformPort input() const = 0;
  // The bytes of one such row that is typical, for warm-up to time; empty where none is known.
  virtual std::string MakeSample() const = 0;

  // Of the row that is made, without the batch's dimension.
  virtual DataType datatype() const = 0;
  virtual const Shape& shape() const = 0;
  virtual std::size_t row_bytes() const = 0;

  virtual std::unique_ptr<RowScratch> MakeScratch() const = 0;
  // Fills `output`, row_bytes() long and aligned for the datatype; its contents are undefined where
  // the row fails. `scratch` is from this stage's MakeScratch.
  virtual Status Run(std::string_view input, std::span<std::byte> output,
                     RowScratch& scratch) const = 0;
};

}  // namespace penstock::preprocess
