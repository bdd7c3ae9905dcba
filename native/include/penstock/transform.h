// The steps declared before and behind a model, compiled: chains from named tensors to named
// tensors. Each family of steps (preprocess.h, tokenizer.h and so on) has a function that makes a
// Transform; what becomes of it beside a model, pipeline/pipeline.h says.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <penstock/error.h>
#include <penstock/tensor.h>

namespace penstock {

// Opaque here: immutable, shared by the models and pipelines that use it, on any thread.
class Transform;

// A step that cannot work: its index among the steps of its chain, and why.
struct StepError {
  std::size_t step = 0;
  std::string message;
};

struct PipelineChain {
  std::vector<std::string> from;
  std::vector<std::string> to;
  std::vector<std::string> steps;  // their names, for messages and listings
  std::shared_ptr<const Transform> transform;
};

// What stands beside a model; empty where it takes tensors and nothing else.
struct PipelineDeclaration {
  std::vector<PipelineChain> preprocessing;   // from what clients send to inputs of the model
  std::vector<PipelineChain> postprocessing;  // from its outputs, and its inputs, to answers
  bool allow_raw = false;  // a request that names the model's own inputs is taken as it is

  bool empty() const { return preprocessing.empty() && postprocessing.empty(); }
};

// Chains in the caller's own process, without a model. Thread-safe.
class PipelineRunner {
 public:
  // Null where a chain cannot work on its tensors; what a chain makes may go into a later one.
  static std::unique_ptr<PipelineRunner> Create(std::vector<PipelineChain> chains, Error* error);

  PipelineRunner(const PipelineRunner&) = delete;
  PipelineRunner& operator=(const PipelineRunner&) = delete;
  virtual ~PipelineRunner() = default;

  // `inputs` by their names, each once; the caller's own until Run returns. Fills `outputs`: what
  // the chains make, in their order, views into `memory`. False: `error` says why.
  virtual bool Run(std::span<const EngineTensor> inputs, std::vector<EngineTensor>* outputs,
                   std::shared_ptr<const void>* memory, Error* error) const = 0;

 protected:
  PipelineRunner() = default;
};

}  // namespace penstock
