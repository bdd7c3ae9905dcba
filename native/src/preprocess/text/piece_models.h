// The two ways from text to ids that there are. Each checks its part of the spec.
#pragma once

#include <memory>

#include <penstock/tokenizer.h>

#include "base/status.h"
#include "preprocess/text/text_encoder.h"

namespace penstock::preprocess {

Result<std::unique_ptr<PieceModel>> MakeWordPieceModel(const WordPieceSpec& spec);
Result<std::unique_ptr<PieceModel>> MakeByteLevelModel(const ByteLevelBpeSpec& spec);

}  // namespace penstock::preprocess
