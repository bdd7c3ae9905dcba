// Proves that rows are independent: distinct rows, run alone and run together, must agree. Also
// finds an input that the model accepts, which the warm-up's measurements then use. Control thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "session/session.h"

namespace penstock {

// Bytes for every input of a model, `rows` of them; the views point into the bytes.
class ProbeInputs final {
 public:
  // How far the values reach. Each is tried in turn until the model accepts one.
  enum class Values {
    kWide,       // floats in [-1, 1], integers 0 to 3, strings of words
    kNarrow,     // floats in [0, 1], integers 0 and 1 (indices into two entries, logarithms),
                 // strings "0" and "1" (numbers as text)
    kZeroIndex,  // floats in [0, 1], integers 0, strings "0"
    kZeros,      // nothing else was accepted
  };
  struct Recipe {
    Values values = Values::kWide;
    std::int64_t free_dim = 8;  // what stands for a free dimension that is not the batch
    std::uint64_t ones = 0;     // bit i: input i is a mask, and all ones
    bool operator==(const Recipe&) const = default;
  };

  // Row i is the same whatever `rows` is; an input whose first dimension is fixed keeps it. The
  // caller has looked at ProbeRowBytes before it asks for many.
  ProbeInputs(std::span<const TensorSpec> specs, Recipe recipe, std::int64_t rows);
  // Row `index` alone.
  std::vector<TensorView> Row(std::int64_t index) const;
  // False where every row is the same: then what a model makes of them proves nothing.
  bool RowsDiffer() const;
  std::span<const TensorView> views() const { return views_; }

 private:
  // The bytes of one input, and where each of its rows begins, with the end as well.
  struct Column {
    std::vector<std::byte> bytes;
    std::vector<std::size_t> row_offsets;
  };
  const std::int64_t rows_;
  std::vector<Column> columns_;
  std::vector<TensorView> views_;
};

// How many bytes one row has, over all inputs; above 256 MiB, only that it is more.
std::int64_t ProbeRowBytes(std::span<const TensorSpec> specs, ProbeInputs::Recipe recipe);

struct ProbeReport {
  bool batchable = false;
  std::string reason;  // why not
  // False where the model accepted nothing; `recipe` then means nothing.
  bool accepted = false;
  ProbeInputs::Recipe recipe;
  // Where the first recipe was refused: which one it is, and the engine's words on the first.
  std::string note;
  std::vector<Shape> row_shapes;  // of each output for one row; empty where nothing was accepted
};

// `ones`: see ProbeInputs::Recipe.
ProbeReport ProbeBatching(Session& session, std::uint64_t ones = 0);

// PURE. What clients are told of the outputs: what the model declares, with -1 where it does not
// keep to it and where the rows of a batch stand.
std::vector<TensorSpec> ServedOutputs(std::span<const TensorSpec> declared,
                                      const ProbeReport& report);

}  // namespace penstock
