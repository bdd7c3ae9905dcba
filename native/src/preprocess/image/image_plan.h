// Image steps held against each other and turned into what the decoder, the framing and the
// tensor's writer need. Pure.
#pragma once

#include <optional>
#include <span>
#include <variant>

#include <penstock/preprocess.h>

#include "preprocess/image/decode.h"
#include "preprocess/image/framing.h"
#include "preprocess/image/resample_taps.h"
#include "preprocess/image/tensor_format.h"
#include "tensor/tensor.h"

namespace penstock::preprocess {

struct ImagePlan {
  DecodeOptions decode;
  std::optional<Size> pixels;  // the rows are such pixels; nothing is decoded
  bool scaled = false;
  FramingSpec framing;
  Filter filter = Filter::kBilinear;
  TensorFormat format;
  Size canvas;
  Shape row_shape;  // of the tensor
};

std::variant<ImagePlan, StepError> PlanImage(std::span<const PreprocessStep> steps);

}  // namespace penstock::preprocess
