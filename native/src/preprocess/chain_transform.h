// Several transforms, each taking what the one before it made, as one. Any thread, as Transform.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "preprocess/transform.h"

namespace penstock::preprocess {

struct ChainLink {
  std::string path;  // "steps[1].top_k", for messages
  std::shared_ptr<const Transform> transform;
  std::size_t output_count = 1;
};

class ChainTransform final : public Transform {
 public:
  // At least one link.
  explicit ChainTransform(std::vector<ChainLink> links);

  std::span<const TransformPort> inputs() const override;
  // Messages begin with the path of the link that cannot work.
  Result<std::vector<TransformPort>> OutputsFor(
      std::span<const TransformPort> inputs) const override;
  std::unique_ptr<Scratch> MakeScratch() const override;
  Status Run(std::span<const TensorView> inputs, std::int64_t rows, TensorArena& arena,
             Scratch* scratch, std::span<TensorView> outputs) const override;
  bool brief() const override;
  std::vector<TensorView> SampleRow(TensorArena& arena) const override;

 private:
  const std::vector<ChainLink> links_;
};

}  // namespace penstock::preprocess
