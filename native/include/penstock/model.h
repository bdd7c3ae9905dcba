// A model as the server and the in-process engine are given it, and what it turned out to be.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <penstock/options.h>
#include <penstock/ragged.h>
#include <penstock/transform.h>

namespace penstock {

// By the output's name: a label for each value of a row, in their order.
using OutputLabels = std::map<std::string, std::vector<std::string>>;

// One model version to serve. Nothing here is parsed further: paths are absolute, names checked.
struct ModelSource {
  std::string name;
  std::int64_t version = 1;
  std::string path;  // the .onnx file
  ModelOptions options;
  OutputLabels labels;
  PipelineDeclaration pipeline;
  std::vector<RaggedDeclaration> ragged;
};

// One input or output as clients see it.
struct TensorReport {
  std::string name;
  std::string datatype;             // the protocol's name, such as "FP32"
  std::vector<std::int64_t> shape;  // -1 where free; the batch, where there is one, stands first
};

// What a loaded version turned out to be; for `penstock models`, logs and tests.
struct ModelReport {
  std::string name;
  std::int64_t version = 0;
  std::vector<TensorReport> inputs;
  std::vector<TensorReport> outputs;
  // Chains before and behind the model, each a line such as "image -> decode_image, to_tensor ->
  // x".
  std::vector<std::string> preprocessing;
  std::vector<std::string> postprocessing;
  std::vector<TensorReport> raw_inputs;  // the model's own, where a request may name these instead
  std::vector<std::string> providers;    // what it was loaded for, in order of preference
  std::string ragged;      // the inputs that differ in length, and what follows them; mostly empty
  std::string probe_note;  // which input the measurements had to use, and why; mostly empty
  bool batchable = false;
  std::string batchable_reason;  // why not, where it is not
  std::string execution;         // "inline" or "pool"
  std::string execution_reason;
  std::int64_t max_batch_size = 1;
  double l1_us = 0;    // measured duration of a run of one row
  double lmax_us = 0;  // and of max_batch_size rows
};

}  // namespace penstock
