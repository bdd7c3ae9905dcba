// Holds a decoded request against what the model declares: which bytes are which input, and is
// everything as the model needs it. Every rule about tensors that a request can break has its
// sentence here; those about parameters stand in wire/infer_parameters.cc. The loop's thread, whose
// buffers hold what had to be converted.
#pragma once

#include <cstdint>
#include <vector>

#include "base/buffer.h"
#include "base/status.h"
#include "model/model_version.h"
#include "tensor/tensor.h"
#include "wire/infer_request.h"

namespace penstock {

struct RequestTensors {
  std::vector<TensorView> inputs;  // in the model's order, viewing the message or `converted`
  // What they are held against: the model's inputs as clients are told of them, or its own.
  std::span<const TensorSpec> specs;
  bool raw = false;                  // they are its own
  std::int64_t rows = 1;             // the first dimension, where the model is batchable
  std::int64_t run_length = 0;       // as QueueEntry has it
  std::vector<std::size_t> outputs;  // indices of what is to be answered, in that order
  // Which of `outputs` are answered as their largest values; mostly none.
  std::vector<wire::RequestedClasses> classes;

  // An input whose contents are typed, as it waits for its conversion.
  struct Typed {
    std::size_t index = 0;  // in `inputs`
    std::span<const std::byte> contents;
    std::size_t byte_count = 0;  // once converted
  };
  std::vector<Typed> typed;
  Buffer converted;  // the elements of typed contents, one input after another

  void Clear();
};

// The two halves of BindRequest, for who must account for memory: after the first, all is right but
// the values of typed contents, which become `ConvertedBytes` more, at most 8 for each of theirs.
Status CheckRequest(const wire::InferRequest& request, const ModelVersion& model,
                    RequestTensors& tensors);
std::size_t ConvertedBytes(const RequestTensors& tensors);
Status ConvertTyped(const ModelVersion& model, BufferPool& buffers, RequestTensors& tensors);

// INVALID_ARGUMENT with what was wrong, what was expected and where. Typed contents are converted
// last, when all else is right, into memory from `buffers`.
Status BindRequest(const wire::InferRequest& request, const ModelVersion& model,
                   BufferPool& buffers, RequestTensors& tensors);

}  // namespace penstock
