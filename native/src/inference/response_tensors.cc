#include "inference/response_tensors.h"

#include "batching/output_rows.h"
#include "inference/classification.h"

namespace penstock {
namespace {

struct ClassifiedOutputs {
  std::shared_ptr<const SessionOutputs> batch;  // of the outputs that stay as they are
  std::vector<std::vector<std::byte>> texts;
};

}  // namespace

void CollectOutputs(const ModelVersion& model, const RequestTensors& asked,
                    const BatchResult& result, std::vector<wire::InferOutput>& outputs) {
  outputs.clear();
  const std::span<const TensorView> tensors = result.outputs->tensors();
  for (const std::size_t index : asked.outputs) {
    const TensorView& tensor = tensors[index];
    wire::InferOutput& output = outputs.emplace_back();
    output = {.name = model.outputs()[index].name,
              .dtype = tensor.dtype,
              .shape = tensor.shape,
              .data = tensor.data};
    if (asked.rows == result.batch_rows || tensor.shape[0] == asked.rows) continue;
    output.shape.Set(0, asked.rows);
    output.data =
        OutputRows(*result.outputs, index,
                   {.first = result.first_row, .count = asked.rows, .of = result.batch_rows});
  }
}

std::shared_ptr<const void> ClassifyOutputs(const ModelVersion& model, const RequestTensors& asked,
                                            const BatchResult& result,
                                            std::vector<wire::InferOutput>& outputs) {
  // Shared with the replies that are still being sent, as the batch is.
  auto classified = std::make_shared<ClassifiedOutputs>();
  classified->batch = result.outputs;
  classified->texts.resize(asked.classes.size());
  for (std::size_t i = 0; i < asked.classes.size(); ++i) {
    const wire::RequestedClasses& classes = asked.classes[i];
    ClassifyOutput({.count = classes.count,
                    .by_rows = model.batchable(),
                    .labels = model.labels(asked.outputs[classes.output])},
                   outputs[classes.output], classified->texts[i]);
  }
  return classified;
}

}  // namespace penstock
