#include "preprocess/post/post_steps.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "preprocess/chain_transform.h"

namespace penstock {

using preprocess::ChainLink;
using preprocess::CompiledPostStep;

std::shared_ptr<const Transform> CreatePostTransform(const std::vector<PostStep>& steps) {
  CHECK(!steps.empty());
  std::vector<ChainLink> links;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    CompiledPostStep compiled = preprocess::CompilePostStep(steps[i]);
    if (compiled.transform == nullptr) continue;
    links.push_back({.path = StrCat("steps[", i, "].", compiled.name),
                     .transform = std::move(compiled.transform),
                     .output_count = compiled.output_count});
  }
  if (links.empty()) return preprocess::MakeRename();
  return std::make_shared<preprocess::ChainTransform>(std::move(links));
}

namespace preprocess {
namespace {

// Hands on what it is given.
class Rename final : public Transform {
 public:
  std::span<const TransformPort> inputs() const override { return {}; }
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override {
    return std::vector<TransformPort>(inputs.begin(), inputs.end());
  }
  Status Run(std::span<const TensorView> inputs, std::int64_t /*rows*/, TensorArena& /*arena*/,
             Scratch* /*scratch*/, std::span<TensorView> outputs) const override {
    std::ranges::copy(inputs, outputs.begin());
    return {};
  }
  bool brief() const override { return true; }
};

struct Compile {
  CompiledPostStep operator()(const SoftmaxStep& /*step*/) const {
    return {.name = "softmax", .transform = MakeSoftmax()};
  }
  CompiledPostStep operator()(const L2NormalizeStep& /*step*/) const {
    return {.name = "l2_normalize", .transform = MakeL2Normalize()};
  }
  CompiledPostStep operator()(const SigmoidStep& /*step*/) const {
    return {.name = "sigmoid", .transform = MakeSigmoid()};
  }
  CompiledPostStep operator()(const ArgmaxStep& /*step*/) const {
    return {.name = "argmax", .transform = MakeArgmax()};
  }
  CompiledPostStep operator()(const TopKStep& step) const {
    return {.name = "top_k",
            .transform = MakeTopK(step),
            .output_count = step.labels.empty() ? std::size_t{2} : std::size_t{3}};
  }
  CompiledPostStep operator()(const ThresholdStep& step) const {
    return {.name = "threshold", .transform = MakeThreshold(step)};
  }
  CompiledPostStep operator()(const LabelsStep& step) const {
    return {.name = "labels", .transform = MakeLabels(step)};
  }
  CompiledPostStep operator()(const MeanPoolStep& /*step*/) const {
    return {.name = "mean_pool", .transform = MakeMeanPool()};
  }
  CompiledPostStep operator()(const RenameStep& /*step*/) const {
    return {.name = "rename", .transform = nullptr};
  }
};

}  // namespace

CompiledPostStep CompilePostStep(const PostStep& step) {
  return std::visit(Compile{}, step);
}

std::shared_ptr<const Transform> MakeRename() {
  return std::make_shared<Rename>();
}

}  // namespace preprocess
}  // namespace penstock
