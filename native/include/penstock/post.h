// Steps behind a model: from its outputs to answers. Python reads the declaration and fills these
// structs; nothing here parses configuration. What each means to its tensors is checked when the
// model is known.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace penstock {

class Transform;

// Along the last dimension: values that sum to 1; vectors of length 1.
struct SoftmaxStep {};
struct L2NormalizeStep {};
// 1 / (1 + exp(-value)).
struct SigmoidStep {};
// The index of the largest along the last dimension.
struct ArgmaxStep {};
// The `k` largest along the last dimension: values, indices and, where there are labels, those.
struct TopKStep {
  std::int64_t k = 0;
  std::vector<std::string> labels;  // none, or one for each value of a row
};
// value >= at: BOOL, or one of two labels.
struct ThresholdStep {
  double at = 0;
  std::vector<std::string> labels;  // none, or two: below, and at or above
};
// Indices become their labels.
struct LabelsStep {
  std::vector<std::string> labels;
};
// Of [tokens, values], the mean over the tokens that a mask of [tokens] leaves, or over all.
struct MeanPoolStep {};
// Hands on what it is given: `to` is its new name.
struct RenameStep {};

using PostStep = std::variant<SoftmaxStep, L2NormalizeStep, SigmoidStep, ArgmaxStep, TopKStep,
                              ThresholdStep, LabelsStep, MeanPoolStep, RenameStep>;

// The steps, of which there is at least one, as one transform.
std::shared_ptr<const Transform> CreatePostTransform(const std::vector<PostStep>& steps);

}  // namespace penstock
