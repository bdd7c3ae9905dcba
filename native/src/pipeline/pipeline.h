// What a model's configuration declares before and behind it, bound to the model: what clients send
// becomes the model's inputs (Prepare), what it gives becomes the answers (Finish). Immutable once
// made; any thread, each with a Work of its own. Knows no request and no queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <penstock/transform.h>

#include "base/status.h"
#include "preprocess/transform.h"
#include "session/session.h"
#include "tensor/arena.h"
#include "tensor/tensor.h"

namespace penstock {

// What a thread keeps between the pipelines it runs, of whatever models.
class PipelineWork final {
 public:
  PipelineWork() = default;
  PipelineWork(const PipelineWork&) = delete;
  PipelineWork& operator=(const PipelineWork&) = delete;

  // For prepared tensors: theirs until it is cleared.
  TensorArena& arena() { return arena_; }
  // Of `transform`, made when first asked for; null where it needs none.
  Transform::Scratch* ScratchOf(const std::shared_ptr<const Transform>& transform);

 private:
  friend class Pipeline;
  TensorArena arena_;
  // Shared, so that no other transform comes to stand at the address of a key.
  std::unordered_map<std::shared_ptr<const Transform>, std::unique_ptr<Transform::Scratch>>
      scratches_;
  std::vector<TensorView> from_;  // of the chain under way
  std::vector<TensorView> to_;
};

class Pipeline final {
 public:
  // INVALID_ARGUMENT with the path of the chain or step and with what disagrees, where the
  // declaration does not fit a model of such inputs and outputs.
  static Result<std::unique_ptr<Pipeline>> Create(PipelineDeclaration declaration,
                                                  std::span<const TensorSpec> model_inputs,
                                                  std::span<const TensorSpec> model_outputs);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // What clients send and what they are answered. Inputs and outputs of the model that no chain
  // makes or takes are among them.
  std::span<const TensorSpec> inputs() const { return inputs_; }
  std::span<const TensorSpec> outputs() const { return outputs_; }
  // A request may name the model's own inputs instead.
  bool allow_raw() const { return allow_raw_; }
  // Rows that a request may bring so that what they become is at most `bytes`.
  std::int64_t RowsWithin(std::int64_t bytes) const;
  // Of what `inputs` will become along the dimension that preprocessing leaves free; 0: none is.
  std::int64_t EstimateLength(std::span<const TensorView> inputs) const;
  // What is made for one of the model's inputs; its dtype is kInvalid where clients send that.
  const TransformPort& made(std::size_t model_input) const { return made_[model_input]; }
  // One chain alone makes tensors whose length each request decides: they all have the same.
  bool makes_one_length() const;
  // Its cost is a few microseconds a row, whatever is sent.
  bool brief() const;
  // A batch is best prepared as one.
  bool shares_preparing() const;
  // As of its transforms, all together.
  void EndRuns() const;
  Transform::Delegated delegated() const;
  bool prepares() const { return !before_.empty(); }
  bool finishes() const { return !behind_.empty(); }

  // One tensor for each of inputs() becomes one for each of the model's inputs, in `work`'s arena
  // or in the client's memory. INVALID_ARGUMENT where the tensors have no common number of rows, or
  // as a transform says it.
  Status Prepare(std::span<const TensorView> inputs, PipelineWork& work,
                 std::span<TensorView> model_inputs) const;
  // What the model made of `model_inputs` becomes one tensor for each of outputs().
  Result<std::unique_ptr<SessionOutputs>> Finish(std::span<const TensorView> model_inputs,
                                                 std::unique_ptr<SessionOutputs> ran,
                                                 PipelineWork& work) const;

  // A row that is typical of inputs(), in `work`'s arena; empty where some transform knows none.
  std::vector<TensorView> SampleRow(PipelineWork& work) const;

 private:
  friend class PipelineBuilder;
  Pipeline() = default;

  // Where a tensor of a chain behind the model comes from.
  struct Source {
    bool is_input = false;  // of the model
    std::size_t index = 0;
    TensorSpec spec;
  };
  struct Before {
    PipelineChain chain;
    std::vector<std::size_t> from;  // in inputs_
    std::vector<std::size_t> to;    // among the model's inputs
  };
  struct Behind {
    PipelineChain chain;
    std::vector<Source> from;
    std::size_t to = 0;  // its first in outputs_
  };
  // What goes through untouched.
  struct Pass {
    std::size_t from = 0;
    std::size_t to = 0;
  };
  class Finished;

  Status RunBehind(const Behind& behind, std::span<const TensorView> model_inputs,
                   Finished& finished, PipelineWork& work) const;

  std::vector<TensorSpec> inputs_;
  std::vector<TensorSpec> outputs_;
  std::vector<Before> before_;
  std::vector<Pass> input_passes_;  // from inputs_ to the model's
  std::vector<Behind> behind_;
  std::vector<Pass> output_passes_;  // from the model's to outputs_
  std::vector<TransformPort> made_;  // by input of the model
  std::int64_t row_bytes_ = 0;       // that one row becomes, at most
  bool allow_raw_ = false;
};

}  // namespace penstock
