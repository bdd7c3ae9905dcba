#include "preprocess/chain_transform.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace penstock::preprocess {
namespace {

class ChainScratch final : public Transform::Scratch {
 public:
  std::vector<std::unique_ptr<Transform::Scratch>> links;
  // What the last link made, and what the next one makes.
  std::vector<TensorView> made;
  std::vector<TensorView> next;
};

}  // namespace

ChainTransform::ChainTransform(std::vector<ChainLink> links) : links_(std::move(links)) {
  CHECK(!links_.empty());
}

std::span<const TransformPort> ChainTransform::inputs() const {
  return links_.front().transform->inputs();
}

Result<std::vector<TransformPort>> ChainTransform::OutputsFor(
    std::span<const TransformPort> inputs) const {
  std::vector<TransformPort> ports(inputs.begin(), inputs.end());
  for (const ChainLink& link : links_) {
    Result<std::vector<TransformPort>> made = link.transform->OutputsFor(ports);
    if (!made.ok()) return made.status().Under(link.path + ": ");
    ports = std::move(made).value();
    CHECK_EQ(ports.size(), link.output_count);
  }
  return ports;
}

std::unique_ptr<Transform::Scratch> ChainTransform::MakeScratch() const {
  auto scratch = std::make_unique<ChainScratch>();
  for (const ChainLink& link : links_) scratch->links.push_back(link.transform->MakeScratch());
  return scratch;
}

Status ChainTransform::Run(std::span<const TensorView> inputs, std::int64_t rows,
                           TensorArena& arena, Scratch* scratch,
                           std::span<TensorView> outputs) const {
  auto& own = static_cast<ChainScratch&>(*scratch);
  std::span<const TensorView> given = inputs;
  const std::size_t last = links_.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    own.next.assign(links_[i].output_count, TensorView{});
    RETURN_IF_ERROR(links_[i].transform->Run(given, rows, arena, own.links[i].get(), own.next));
    own.made.swap(own.next);
    given = own.made;
  }
  return links_[last].transform->Run(given, rows, arena, own.links[last].get(), outputs);
}

bool ChainTransform::brief() const {
  return std::ranges::all_of(links_, [](const ChainLink& link) { return link.transform->brief(); });
}

std::vector<TensorView> ChainTransform::SampleRow(TensorArena& arena) const {
  return links_.front().transform->SampleRow(arena);
}

}  // namespace penstock::preprocess
