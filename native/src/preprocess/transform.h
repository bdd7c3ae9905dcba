// What a pipeline is made of: something that turns the tensors of some rows into other tensors of
// the same rows. A picture's decoder is one, a tokenizer, the columns of a table, softmax. Knows no
// request, no batch and no names: those are the pipeline's (pipeline/pipeline.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "tensor/arena.h"
#include "tensor/tensor.h"

namespace penstock {

// How rows of several requests may come to one length.
struct PortPadding {
  std::int64_t value = 0;
  bool before = false;  // the row's elements, not behind them
  bool mask = false;    // 1 where a row has an element, `value` where it was padded
  bool operator==(const PortPadding&) const = default;
};

// One tensor on a transform's way in or out.
struct TransformPort {
  DataType dtype = DataType::kInvalid;
  Shape row_shape;  // without the batch's dimension; -1 where it differs from request to request
  // Of a tensor with one such dimension; nothing where its rows must stay as they are.
  std::optional<PortPadding> padding;
  bool operator==(const TransformPort&) const = default;
};

// Immutable after construction; any thread, each with a scratch of its own.
class Transform {
 public:
  // What a transform keeps between runs: decoders, tables to work in. One thread at a time.
  class Scratch {
   public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    virtual ~Scratch() = default;
  };

  Transform() = default;
  Transform(const Transform&) = delete;
  Transform& operator=(const Transform&) = delete;
  virtual ~Transform() = default;

  // What has to be sent to it. Empty where it takes what it is given, as the steps behind a model
  // do: OutputsFor says then whether it can.
  virtual std::span<const TransformPort> inputs() const = 0;
  // What it makes of such tensors; INVALID_ARGUMENT with what was expected where it cannot work on
  // them. Of several steps, the message begins with the one that cannot: "steps[1].top_k: ...".
  virtual Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const = 0;

  // Null where it needs none.
  virtual std::unique_ptr<Scratch> MakeScratch() const { return nullptr; }
  // `inputs` match their ports, their first dimension is `rows`; BYTES are in the checked form of
  // tensor/bytes.h. Fills `outputs`, one for each that OutputsFor named: first dimension `rows`,
  // data in `arena` or in `inputs`. Where a row cannot be used, all fail: INVALID_ARGUMENT, whose
  // message says which row ("row 3: ...").
  virtual Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
                     Scratch* scratch, std::span<TensorView> outputs) const = 0;

  // Where an output's shape differs from row to row: the most bytes that a row's outputs can have,
  // together. It bounds how many rows a request may bring; 0: no more than what came in, or so.
  virtual std::int64_t RowBytesMax() const { return 0; }

  // About how long the dimension will be that its outputs leave free: what is alike runs together.
  // It looks at sizes, not at contents. 0: none is free, or nothing is known.
  virtual std::int64_t EstimateLength(std::span<const TensorView> /*inputs*/) const { return 0; }
  // A run costs so much, whatever it is of, that requests should share one.
  virtual bool shares_runs() const { return false; }

  // Where it has others compute: its runs under way fail at once, and so does every later one. Any
  // thread.
  virtual void EndRuns() const {}
  // What it has had others compute: how often, and how long that took. Any thread.
  struct Delegated {
    std::int64_t runs = 0;
    TimeNs time = 0;
  };
  virtual Delegated delegated() const { return {}; }

  // Its cost is a few microseconds a row, whatever is sent: it may run on an event loop.
  virtual bool brief() const = 0;
  // A row that is typical of what it will be sent, one for each of inputs(), for warm-up to time;
  // in `arena`. Empty: nothing is known that would be.
  virtual std::vector<TensorView> SampleRow(TensorArena& /*arena*/) const { return {}; }
};

}  // namespace penstock
