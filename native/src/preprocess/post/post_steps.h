// The steps behind a model, each as a transform. Any thread, as Transform.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include <penstock/post.h>

#include "preprocess/transform.h"

namespace penstock::preprocess {

struct CompiledPostStep {
  std::string_view name;                       // as in the declaration
  std::shared_ptr<const Transform> transform;  // null: it changes nothing
  std::size_t output_count = 1;
};

CompiledPostStep CompilePostStep(const PostStep& step);

// One for each family of steps, in its file.
std::shared_ptr<const Transform> MakeSoftmax();
std::shared_ptr<const Transform> MakeSigmoid();
std::shared_ptr<const Transform> MakeL2Normalize();
std::shared_ptr<const Transform> MakeMeanPool();
std::shared_ptr<const Transform> MakeArgmax();
std::shared_ptr<const Transform> MakeTopK(const TopKStep& step);
std::shared_ptr<const Transform> MakeThreshold(const ThresholdStep& step);
std::shared_ptr<const Transform> MakeLabels(const LabelsStep& step);
std::shared_ptr<const Transform> MakeRename();

}  // namespace penstock::preprocess
