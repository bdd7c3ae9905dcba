// penstock::PipelineRunner: chains on the caller's own tensors, with the memory that threads keep
// between runs.
#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <penstock/transform.h>

#include "base/strings.h"
#include "pipeline/pipeline.h"
#include "preprocess/transform.h"
#include "tensor/bytes.h"

namespace penstock {
namespace {

// What one run made: alive as long as somebody looks at it.
struct RunMemory {
  TensorArena arena;
  std::vector<TensorView> tensors;  // in the order of the chains' `to`
};

Error ErrorOf(const Status& status) {
  return {.code = static_cast<int>(status.code()), .message = std::string(status.message())};
}

std::string Describe(const TensorView& view) {
  return StrCat(DataTypeName(view.dtype), " ", view.shape.ToString());
}

Status CheckPort(std::string_view name, const TensorView& view, const TransformPort& port) {
  Shape wanted = {-1};
  for (const std::int64_t dim : port.row_shape.dims()) wanted.Append(dim);
  bool fits = view.dtype == port.dtype && view.shape.rank() == wanted.rank();
  for (std::size_t i = 1; fits && i < wanted.rank(); ++i) {
    fits = wanted[i] < 0 || view.shape[i] == wanted[i];
  }
  if (fits) return {};
  return InvalidArgument(StrCat("input '", name, "': ", Describe(view), ", the pipeline takes ",
                                DataTypeName(port.dtype), " ", wanted.ToString()));
}

Result<TensorView> ViewOf(const EngineTensor& tensor) {
  TensorView view = {.dtype = DataTypeFromName(tensor.datatype), .shape = {}, .data = tensor.data};
  const auto refuse = [&tensor](std::string_view what) {
    return InvalidArgument(StrCat("input '", Printable(tensor.name), "': ", what));
  };
  if (view.dtype == DataType::kInvalid) return refuse("its datatype is not known");
  if (tensor.shape.size() > Shape::kRankMax || tensor.shape.empty()) {
    return refuse(StrCat(tensor.shape.size(), " dimensions, 1 to ", Shape::kRankMax,
                         " are taken, the first being the rows"));
  }
  for (const std::int64_t dim : tensor.shape) view.shape.Append(dim);
  const std::int64_t count = view.shape.ElementCount().value_or(-1);
  if (count < 0) return refuse(StrCat("shape ", view.shape.ToString(), " cannot be"));
  if (view.dtype == DataType::kBytes) {
    const std::string fault = FindBytesFault(view.data, count);
    if (!fault.empty()) return refuse(fault);
  } else if (view.data.size() / DataTypeSize(view.dtype) != static_cast<std::size_t>(count)) {
    return refuse(StrCat(view.data.size(), " bytes for ", Describe(view)));
  }
  return view;
}

class PipelineRunnerImpl final : public PipelineRunner {
 public:
  explicit PipelineRunnerImpl(std::vector<PipelineChain> chains) : chains_(std::move(chains)) {}

  Status Bind() {
    for (std::size_t i = 0; i < chains_.size(); ++i) {
      RETURN_IF_ERROR(BindChain(StrCat("chains[", i, "]"), chains_[i]));
    }
    return {};
  }

  bool Run(std::span<const EngineTensor> inputs, std::vector<EngineTensor>* outputs,
           std::shared_ptr<const void>* memory, Error* error) const override {
    auto made = std::make_shared<RunMemory>();
    made->tensors.resize(names_.size());
    std::unique_ptr<PipelineWork> work = Take();
    const Status status = RunAll(inputs, *work, *made);
    work->arena().Clear();
    Return(std::move(work));
    if (!status.ok()) {
      *error = ErrorOf(status);
      return false;
    }
    outputs->clear();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      const TensorView& tensor = made->tensors[i];
      outputs->push_back({.name = names_[i],
                          .datatype = DataTypeName(tensor.dtype),
                          .shape = tensor.shape.dims(),
                          .data = tensor.data});
    }
    *memory = std::move(made);
    return true;
  }

 private:
  Status BindChain(const std::string& path, const PipelineChain& chain) {
    const std::span<const TransformPort> ports = chain.transform->inputs();
    if (chain.from.empty() || chain.to.empty()) {
      return InvalidArgument(StrCat(path, ": from and to name one tensor at least"));
    }
    if (!ports.empty() && ports.size() != chain.from.size()) {
      return InvalidArgument(StrCat(path, ".from: names ", chain.from.size(),
                                    " tensors, the first step takes ", ports.size()));
    }
    if (!ports.empty()) {
      ASSIGN_OR_RETURN(const std::vector<TransformPort> made, chain.transform->OutputsFor(ports));
      if (made.size() != chain.to.size()) {
        return InvalidArgument(StrCat(path, ".to: names ", chain.to.size(),
                                      " tensors, the last step makes ", made.size()));
      }
    }
    for (const std::string& name : chain.to) {
      if (std::ranges::find(names_, name) != names_.end()) {
        return InvalidArgument(StrCat(path, ".to: '", name, "' is made twice"));
      }
      names_.push_back(name);
    }
    return {};
  }

  Status RunAll(std::span<const EngineTensor> inputs, PipelineWork& work, RunMemory& made) const {
    std::vector<TensorView> given;
    for (const EngineTensor& tensor : inputs) {
      ASSIGN_OR_RETURN(given.emplace_back(), ViewOf(tensor));
    }
    std::size_t ready = 0;
    for (const PipelineChain& chain : chains_) {
      std::vector<TensorView> from;
      for (const std::string& name : chain.from) {
        ASSIGN_OR_RETURN(from.emplace_back(),
                         Find(name, inputs, given, {made.tensors.data(), ready}));
      }
      RETURN_IF_ERROR(RunChain(chain, from, work, made.arena,
                               std::span(made.tensors).subspan(ready, chain.to.size())));
      ready += chain.to.size();
    }
    return {};
  }

  Result<TensorView> Find(const std::string& name, std::span<const EngineTensor> inputs,
                          std::span<const TensorView> given,
                          std::span<const TensorView> made) const {
    for (std::size_t i = 0; i < made.size(); ++i) {
      if (names_[i] == name) return made[i];
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].name == name) return given[i];
    }
    return InvalidArgument(StrCat("input '", name, "' is missing"));
  }

  static Status RunChain(const PipelineChain& chain, std::span<const TensorView> from,
                         PipelineWork& work, TensorArena& arena, std::span<TensorView> to) {
    const std::span<const TransformPort> declared = chain.transform->inputs();
    std::vector<TransformPort> ports;
    const std::int64_t rows = from.front().shape[0];
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (!declared.empty()) RETURN_IF_ERROR(CheckPort(chain.from[i], from[i], declared[i]));
      if (from[i].shape[0] != rows) {
        return InvalidArgument(StrCat("input '", chain.from[i], "': ", from[i].shape[0],
                                      " rows, input '", chain.from[0], "' has ", rows));
      }
      TransformPort& port = ports.emplace_back();
      port.dtype = from[i].dtype;
      for (const std::int64_t dim : from[i].shape.dims().subspan(1)) port.row_shape.Append(dim);
    }
    if (declared.empty()) {
      ASSIGN_OR_RETURN(const std::vector<TransformPort> made, chain.transform->OutputsFor(ports));
      if (made.size() != to.size()) {
        return InvalidArgument(StrCat("'", chain.to[0], "': the steps make ", made.size(),
                                      " tensors, `to` names ", to.size()));
      }
    }
    RETURN_IF_ERROR(chain.transform->Run(from, rows, arena, work.ScratchOf(chain.transform), to));
    // What was handed through is the caller's memory, which may end before the answer does.
    for (TensorView& tensor : to) {
      const auto is_theirs = [&tensor](const TensorView& view) {
        return !tensor.data.empty() && tensor.data.data() >= view.data.data() &&
               tensor.data.data() < view.data.data() + view.data.size();
      };
      if (!std::ranges::any_of(from, is_theirs)) continue;
      const std::span<std::byte> copy = arena.Get(tensor.data.size());
      std::memcpy(copy.data(), tensor.data.data(), tensor.data.size());
      tensor.data = copy;
    }
    return {};
  }

  // As many as ever ran at once.
  std::unique_ptr<PipelineWork> Take() const {
    const std::lock_guard lock(mu_);
    if (free_.empty()) return std::make_unique<PipelineWork>();
    std::unique_ptr<PipelineWork> work = std::move(free_.back());
    free_.pop_back();
    return work;
  }
  void Return(std::unique_ptr<PipelineWork> work) const {
    const std::lock_guard lock(mu_);
    free_.push_back(std::move(work));
  }

  const std::vector<PipelineChain> chains_;
  std::vector<std::string> names_;  // of what the chains make; constant after Bind
  mutable std::mutex mu_;
  mutable std::vector<std::unique_ptr<PipelineWork>> free_;  // guarded by mu_
};

}  // namespace

std::unique_ptr<PipelineRunner> PipelineRunner::Create(std::vector<PipelineChain> chains,
                                                       Error* error) {
  auto runner = std::make_unique<PipelineRunnerImpl>(std::move(chains));
  if (const Status status = runner->Bind(); !status.ok()) {
    *error = ErrorOf(status);
    return nullptr;
  }
  return runner;
}

}  // namespace penstock
