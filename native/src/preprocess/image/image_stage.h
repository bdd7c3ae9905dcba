// The image steps, compiled: decode, then resize, normalise and transpose in one pass.
#pragma once

#include <memory>
#include <span>
#include <variant>

#include <penstock/preprocess.h>

#include "preprocess/row_stage.h"

namespace penstock::preprocess {

// Decode, crops and a resize, a normalisation, the tensor, in this order and the last one always.
std::variant<std::unique_ptr<RowStage>, StepError> CompileImageStage(
    std::span<const PreprocessStep> steps);

}  // namespace penstock::preprocess
