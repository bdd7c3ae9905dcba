#include "inference/response_tensors.h"

#include "batching/output_rows.h"

namespace penstock {

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

}  // namespace penstock
