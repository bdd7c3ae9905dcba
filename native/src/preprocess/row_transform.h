// A RowStage as a Transform: one tensor in, one out, row by row. Any thread.
#pragma once

#include <memory>

#include "preprocess/row_stage.h"
#include "preprocess/transform.h"

namespace penstock::preprocess {

std::shared_ptr<const Transform> MakeRowTransform(std::unique_ptr<const RowStage> stage);

}  // namespace penstock::preprocess
