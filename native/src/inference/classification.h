// The `classification` parameter of a requested output: instead of its numbers, the largest of each
// row as "value:index" or "value:index:label". Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/label_list.h"
#include "tensor/tensor.h"
#include "wire/infer_response.h"

namespace penstock {

// Any numbers; not BOOL, not BYTES.
bool CanClassify(DataType dtype);

struct ClassifyOptions {
  // Of each row, in that order: the larger first, the lower index among equal ones, NaN last. Fewer
  // where a row has fewer.
  std::int64_t count = 1;
  bool by_rows = true;  // the output's first dimension is the batch; else all of it is one row
  const LabelList* labels = nullptr;  // of a row's elements; null where there are none
};

// Turns `output` into BYTES [rows, count], or [count], whose data is `memory`'s from now on.
void ClassifyOutput(const ClassifyOptions& options, wire::InferOutput& output,
                    std::vector<std::byte>& memory);

}  // namespace penstock
