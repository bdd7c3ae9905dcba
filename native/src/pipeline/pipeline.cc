#include "pipeline/pipeline.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

// An estimate allocates nothing: what takes more tensors than a text and its pair is a table, whose
// rows are all alike.
constexpr std::size_t kEstimatedFrom = 2;

std::int64_t RowsOf(const TensorView& view) {
  return view.shape.rank() > 0 ? view.shape[0] : 0;
}

bool Within(std::span<const std::byte> part, std::span<const std::byte> whole) {
  return !part.empty() && part.data() >= whole.data() && part.data() < whole.data() + whole.size();
}

// Whether the model kept to what it declares, without the rows.
bool Keeps(const TensorView& view, const TensorSpec& spec) {
  if (view.dtype != spec.dtype || view.shape.rank() != spec.shape.rank()) return false;
  for (std::size_t i = 1; i < spec.shape.rank(); ++i) {
    if (spec.shape[i] >= 0 && view.shape[i] != spec.shape[i]) return false;
  }
  return true;
}

std::vector<std::size_t> ElementOffsets(std::span<const std::byte> data) {
  std::vector<std::size_t> offsets{0};
  for (BytesReader reader(data); !reader.done(); offsets.push_back(reader.offset())) reader.Next();
  return offsets;
}

}  // namespace

Transform::Scratch* PipelineWork::ScratchOf(const std::shared_ptr<const Transform>& transform) {
  const auto [at, added] = scratches_.try_emplace(transform);
  if (added) at->second = transform->MakeScratch();
  return at->second.get();
}

// What the model gave, and what was made of it.
class Pipeline::Finished final : public SessionOutputs {
 public:
  Finished(std::unique_ptr<SessionOutputs> ran, std::size_t count)
      : ran_(std::move(ran)), tensors_(count), passed_(count, kMade), offsets_(count) {}

  std::span<const TensorView> tensors() const override { return tensors_; }
  std::span<const std::size_t> element_offsets(std::size_t index) const override {
    if (passed_[index] != kMade) return ran_->element_offsets(passed_[index]);
    return offsets_[index];
  }

  const SessionOutputs& ran() const { return *ran_; }
  TensorArena& arena() { return arena_; }
  void Pass(std::size_t from, std::size_t to) {
    tensors_[to] = ran_->tensors()[from];
    passed_[to] = from;
  }
  // `borrowed`: its data is memory that ends before this does.
  void Set(std::size_t index, const TensorView& made, bool borrowed) {
    TensorView& tensor = tensors_[index];
    tensor = made;
    if (borrowed) {
      const std::span<std::byte> copy = arena_.Get(made.data.size());
      std::memcpy(copy.data(), made.data.data(), made.data.size());
      tensor.data = copy;
    }
    if (made.dtype == DataType::kBytes) offsets_[index] = ElementOffsets(tensor.data);
  }

 private:
  static constexpr std::size_t kMade = static_cast<std::size_t>(-1);

  const std::unique_ptr<SessionOutputs> ran_;
  TensorArena arena_;
  std::vector<TensorView> tensors_;
  std::vector<std::size_t> passed_;  // which of the model's outputs it is, or kMade
  std::vector<std::vector<std::size_t>> offsets_;
};

std::int64_t Pipeline::RowsWithin(std::int64_t bytes) const {
  return std::max<std::int64_t>(1, bytes / std::max<std::int64_t>(1, row_bytes_));
}

std::int64_t Pipeline::EstimateLength(std::span<const TensorView> inputs) const {
  std::int64_t length = 0;
  for (const Before& before : before_) {
    std::array<TensorView, kEstimatedFrom> from;
    const std::size_t count = std::min(before.from.size(), from.size());
    for (std::size_t i = 0; i < count; ++i) from[i] = inputs[before.from[i]];
    const std::span<const TensorView> views(from.data(), count);
    length = std::max(length, before.chain.transform->EstimateLength(views));
  }
  return length;
}

bool Pipeline::makes_one_length() const {
  const auto has_length = [this](std::size_t input) { return made_[input].padding.has_value(); };
  return 1 == std::ranges::count_if(before_, [&has_length](const Before& before) {
           return std::ranges::any_of(before.to, has_length);
         });
}

bool Pipeline::brief() const {
  const auto chain_brief = [](const auto& part) { return part.chain.transform->brief(); };
  return std::ranges::all_of(before_, chain_brief) && std::ranges::all_of(behind_, chain_brief);
}

bool Pipeline::shares_preparing() const {
  return std::ranges::any_of(
      before_, [](const Before& before) { return before.chain.transform->shares_runs(); });
}

void Pipeline::EndRuns() const {
  for (const Before& before : before_) before.chain.transform->EndRuns();
  for (const Behind& behind : behind_) behind.chain.transform->EndRuns();
}

Transform::Delegated Pipeline::delegated() const {
  Transform::Delegated all;
  const auto add = [&all](const auto& part) {
    const Transform::Delegated one = part.chain.transform->delegated();
    all.runs += one.runs;
    all.time += one.time;
  };
  std::ranges::for_each(before_, add);
  std::ranges::for_each(behind_, add);
  return all;
}

Status Pipeline::Prepare(std::span<const TensorView> inputs, PipelineWork& work,
                         std::span<TensorView> model_inputs) const {
  for (const Pass& pass : input_passes_) model_inputs[pass.to] = inputs[pass.from];
  for (const Before& before : before_) {
    work.from_.clear();
    for (const std::size_t at : before.from) work.from_.push_back(inputs[at]);
    const std::int64_t rows = RowsOf(work.from_.front());
    for (std::size_t i = 1; i < work.from_.size(); ++i) {
      if (RowsOf(work.from_[i]) == rows) continue;
      return InvalidArgument(StrCat("input '", before.chain.from[i], "': ", RowsOf(work.from_[i]),
                                    " rows, input '", before.chain.from[0], "' has ", rows));
    }
    work.to_.assign(before.to.size(), {});
    const std::shared_ptr<const Transform>& transform = before.chain.transform;
    Status status =
        transform->Run(work.from_, rows, work.arena(), work.ScratchOf(transform), work.to_);
    if (!status.ok()) {
      if (before.chain.from.size() > 1) return status;
      return status.Under(StrCat("input '", before.chain.from[0], "': "));
    }
    for (std::size_t i = 0; i < before.to.size(); ++i) model_inputs[before.to[i]] = work.to_[i];
  }
  return {};
}

Result<std::unique_ptr<SessionOutputs>> Pipeline::Finish(std::span<const TensorView> model_inputs,
                                                         std::unique_ptr<SessionOutputs> ran,
                                                         PipelineWork& work) const {
  if (!finishes()) return ran;
  auto finished = std::make_unique<Finished>(std::move(ran), outputs_.size());
  for (const Pass& pass : output_passes_) finished->Pass(pass.from, pass.to);
  for (const Behind& behind : behind_) {
    RETURN_IF_ERROR(RunBehind(behind, model_inputs, *finished, work));
  }
  return std::unique_ptr<SessionOutputs>(std::move(finished));
}

Status Pipeline::RunBehind(const Behind& behind, std::span<const TensorView> model_inputs,
                           Finished& finished, PipelineWork& work) const {
  work.from_.clear();
  for (const Source& source : behind.from) {
    const TensorView& view =
        source.is_input ? model_inputs[source.index] : finished.ran().tensors()[source.index];
    if (!Keeps(view, source.spec)) {
      return Internal(StrCat("the model returned '", source.spec.name, "' as ",
                             DataTypeName(view.dtype), " ", view.shape.ToString(), ", it declares ",
                             DataTypeName(source.spec.dtype), " ", source.spec.shape.ToString()));
    }
    if (!work.from_.empty() && RowsOf(view) != RowsOf(work.from_.front())) {
      return Internal(StrCat("the model returned ", RowsOf(view), " rows of '", source.spec.name,
                             "' and ", RowsOf(work.from_.front()), " of '",
                             behind.from.front().spec.name, "'"));
    }
    work.from_.push_back(view);
  }
  work.to_.assign(behind.chain.to.size(), {});
  const std::shared_ptr<const Transform>& transform = behind.chain.transform;
  RETURN_IF_ERROR(transform->Run(work.from_, RowsOf(work.from_.front()), finished.arena(),
                                 work.ScratchOf(transform), work.to_));
  for (std::size_t i = 0; i < work.to_.size(); ++i) {
    const auto is_theirs = [&](const TensorView& view) {
      return Within(work.to_[i].data, view.data);
    };
    finished.Set(behind.to + i, work.to_[i], std::ranges::any_of(model_inputs, is_theirs));
  }
  return {};
}

std::vector<TensorView> Pipeline::SampleRow(PipelineWork& work) const {
  std::vector<TensorView> row(inputs_.size());
  for (const Before& before : before_) {
    const std::vector<TensorView> sample = before.chain.transform->SampleRow(work.arena());
    if (sample.size() != before.from.size()) return {};
    for (std::size_t i = 0; i < sample.size(); ++i) row[before.from[i]] = sample[i];
  }
  return row;
}

}  // namespace penstock
