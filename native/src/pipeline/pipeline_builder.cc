// Holds a declaration against the model that it stands beside. Control thread.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "pipeline/pipeline.h"
#include "tensor/spec_names.h"

namespace penstock {
namespace {

constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();

const TensorSpec* Find(std::span<const TensorSpec> specs, std::string_view name) {
  const auto found = std::ranges::find(specs, name, &TensorSpec::name);
  return found == specs.end() ? nullptr : &*found;
}

std::string Describe(DataType dtype, const Shape& shape) {
  return StrCat(DataTypeName(dtype), " ", shape.ToString());
}
std::string Describe(const TensorSpec& spec) {
  return Describe(spec.dtype, spec.shape);
}

Shape WithRows(std::int64_t rows, const Shape& row_shape) {
  Shape shape = {rows};
  for (const std::int64_t dim : row_shape.dims()) shape.Append(dim);
  return shape;
}

// Whether every tensor of shape `made` is one of shape `taken`, -1 being free.
bool Fits(const Shape& made, const Shape& taken) {
  if (made.rank() != taken.rank()) return false;
  for (std::size_t i = 0; i < made.rank(); ++i) {
    if (taken[i] >= 0 && made[i] != taken[i]) return false;
  }
  return true;
}

// Where a chain stands in the configuration, and its steps.
class Place final {
 public:
  Place(std::string_view list, std::size_t index, const PipelineChain& chain)
      : path_(StrCat(list, "[", index, "]")), chain_(chain) {}

  const std::string& chain() const { return path_; }
  std::string step(std::size_t index) const {
    if (index >= chain_.steps.size()) return path_;
    return StrCat(path_, ".steps[", index, "].", chain_.steps[index]);
  }
  std::string first_step() const { return step(0); }
  std::string last_step() const { return step(chain_.steps.size() - 1); }
  // What a transform says that cannot work. One of several steps names the step itself.
  Status Refused(const Status& status) const {
    return InvalidArgument(status.message().starts_with("steps[")
                               ? StrCat(path_, ".", status.message())
                               : StrCat(first_step(), ": ", status.message()));
  }
  Status Error(std::string_view what) const { return InvalidArgument(StrCat(path_, what)); }

 private:
  const std::string path_;
  const PipelineChain& chain_;
};

Status CheckCount(const Place& place, std::string_view key, std::size_t named, std::size_t wanted) {
  if (named == wanted) return {};
  return place.Error(StrCat(".", key, ": names ", named, named == 1 ? " tensor, " : " tensors, ",
                            key == "from" ? "the first step takes " : "the last step makes ",
                            wanted));
}

std::int64_t BytesOf(const TransformPort& port) {
  std::int64_t elements = 1;
  for (const std::int64_t dim : port.row_shape.dims()) {
    if (dim > 0 && __builtin_mul_overflow(elements, dim, &elements)) {
      return kAll;
    }
  }
  const auto size = static_cast<std::int64_t>(std::max<std::size_t>(1, DataTypeSize(port.dtype)));
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(elements, size, &bytes)) return kAll;
  return bytes;
}

}  // namespace

class PipelineBuilder final {
 public:
  PipelineBuilder(std::span<const TensorSpec> model_inputs,
                  std::span<const TensorSpec> model_outputs)
      : model_inputs_(model_inputs),
        model_outputs_(model_outputs),
        made_(model_inputs.size()),
        taken_(model_outputs.size()) {
    pipeline_->made_.resize(model_inputs.size());
  }

  Result<std::unique_ptr<Pipeline>> Build(PipelineDeclaration declaration) {
    for (std::size_t i = 0; i < declaration.preprocessing.size(); ++i) {
      RETURN_IF_ERROR(AddBefore(i, std::move(declaration.preprocessing[i])));
    }
    RETURN_IF_ERROR(PassInputs());
    for (std::size_t i = 0; i < declaration.postprocessing.size(); ++i) {
      RETURN_IF_ERROR(AddBehind(i, std::move(declaration.postprocessing[i])));
    }
    RETURN_IF_ERROR(PassOutputs());
    pipeline_->allow_raw_ = declaration.allow_raw && pipeline_->prepares();
    if (pipeline_->allow_raw_) RETURN_IF_ERROR(CheckTellable());
    return std::move(pipeline_);
  }

 private:
  Status AddBefore(std::size_t index, PipelineChain chain) {
    const Place place("preprocessing", index, chain);
    const Transform& transform = *chain.transform;
    const std::span<const TransformPort> ports = transform.inputs();
    if (ports.empty()) {
      return InvalidArgument(StrCat(place.first_step(),
                                    ": works on what a model makes; before it "
                                    "nothing is known of the tensors"));
    }
    RETURN_IF_ERROR(CheckCount(place, "from", chain.from.size(), ports.size()));
    const Result<std::vector<TransformPort>> made = transform.OutputsFor(ports);
    if (!made.ok()) return place.Refused(made.status());
    RETURN_IF_ERROR(CheckCount(place, "to", chain.to.size(), made.value().size()));
    Pipeline::Before before;
    RETURN_IF_ERROR(BindMade(place, chain, made.value(), before));
    RETURN_IF_ERROR(BindClient(place, chain, ports, before));
    std::int64_t bytes = transform.RowBytesMax();
    for (const TransformPort& port : made.value()) {
      if (transform.RowBytesMax() > 0) break;
      if (__builtin_add_overflow(bytes, BytesOf(port), &bytes)) bytes = kAll;
    }
    if (__builtin_add_overflow(pipeline_->row_bytes_, bytes, &pipeline_->row_bytes_)) {
      pipeline_->row_bytes_ = kAll;
    }
    before.chain = std::move(chain);
    pipeline_->before_.push_back(std::move(before));
    return {};
  }

  // The inputs of the model that the chain makes.
  Status BindMade(const Place& place, const PipelineChain& chain,
                  std::span<const TransformPort> made, Pipeline::Before& before) {
    for (std::size_t i = 0; i < chain.to.size(); ++i) {
      const TensorSpec* const spec = Find(model_inputs_, chain.to[i]);
      if (spec == nullptr) {
        return place.Error(StrCat(".to: the model has no input '", chain.to[i], "'; it takes ",
                                  NamesOf(model_inputs_)));
      }
      const auto at = static_cast<std::size_t>(spec - model_inputs_.data());
      if (!made_[at].empty()) {
        return place.Error(
            StrCat(".to: input '", chain.to[i], "' is made by ", made_[at], ", too"));
      }
      made_[at] = place.chain();
      const std::int64_t rows = spec->shape.rank() > 0 ? spec->shape[0] : -1;
      const Shape shape = WithRows(rows, made[i].row_shape);
      if (spec->dtype != made[i].dtype || !Fits(shape, spec->shape)) {
        return InvalidArgument(StrCat(place.last_step(), ": makes ", Describe(made[i].dtype, shape),
                                      ", input '", spec->name, "' of the model takes ",
                                      Describe(*spec)));
      }
      const TensorSpec& first = model_inputs_[before.to.empty() ? at : before.to.front()];
      if (first.shape[0] != rows) {
        return place.Error(StrCat(".to: input '", spec->name, "' of the model takes ",
                                  Describe(*spec), ", '", first.name, "' ", Describe(first),
                                  ": they do not have the same rows"));
      }
      pipeline_->made_[at] = made[i];
      before.to.push_back(at);
    }
    return {};
  }

  // What clients send for it.
  Status BindClient(const Place& place, const PipelineChain& chain,
                    std::span<const TransformPort> ports, Pipeline::Before& before) {
    const TensorSpec& rows_like = model_inputs_[before.to.front()];
    for (std::size_t i = 0; i < chain.from.size(); ++i) {
      const TensorSpec spec = {.name = chain.from[i],
                               .dtype = ports[i].dtype,
                               .shape = WithRows(rows_like.shape[0], ports[i].row_shape),
                               .first_dim_symbolic = rows_like.first_dim_symbolic};
      ASSIGN_OR_RETURN(const std::size_t at, AddInput(place.chain(), spec));
      before.from.push_back(at);
    }
    return {};
  }

  // Its place in inputs_, where it may stand already. `chain` is empty where no chain takes it.
  Result<std::size_t> AddInput(const std::string& chain, const TensorSpec& spec) {
    std::vector<TensorSpec>& inputs = pipeline_->inputs_;
    const TensorSpec* const there = Find(inputs, spec.name);
    if (there == nullptr) {
      inputs.push_back(spec);
      takers_.push_back(chain);
      return inputs.size() - 1;
    }
    const auto at = static_cast<std::size_t>(there - inputs.data());
    if (there->dtype == spec.dtype && there->shape == spec.shape) return at;
    if (!chain.empty()) {
      return InvalidArgument(StrCat(chain, ".from: takes '", spec.name, "' as ", Describe(spec),
                                    ", ", takers_[at], " takes it as ", Describe(*there)));
    }
    return InvalidArgument(StrCat(takers_[at], ".from: takes '", spec.name, "' as ",
                                  Describe(*there), ", and the model has an input of that name, ",
                                  Describe(spec), ", which no chain makes; name it otherwise"));
  }

  Status PassInputs() {
    for (std::size_t i = 0; i < model_inputs_.size(); ++i) {
      if (!made_[i].empty()) continue;
      ASSIGN_OR_RETURN(const std::size_t at, AddInput("", model_inputs_[i]));
      pipeline_->input_passes_.push_back({.from = at, .to = i});
    }
    return {};
  }

  Status AddBehind(std::size_t index, PipelineChain chain) {
    const Place place("postprocessing", index, chain);
    if (chain.from.empty()) return place.Error(".from: names no tensor");
    Pipeline::Behind behind;
    std::vector<TransformPort> ports;
    for (const std::string& name : chain.from) {
      ASSIGN_OR_RETURN(Pipeline::Source source, FindSource(place, name));
      const std::span<const std::int64_t> dims = source.spec.shape.dims();
      if (dims.empty()) {
        return place.Error(
            StrCat(".from: '", name, "' is ", Describe(source.spec), " and has no rows"));
      }
      TransformPort& port = ports.emplace_back();
      port.dtype = source.spec.dtype;
      for (const std::int64_t dim : dims.subspan(1)) port.row_shape.Append(dim);
      behind.from.push_back(std::move(source));
    }
    RETURN_IF_ERROR(CheckTaken(place, chain, ports));
    const Result<std::vector<TransformPort>> made = chain.transform->OutputsFor(ports);
    if (!made.ok()) return place.Refused(made.status());
    RETURN_IF_ERROR(CheckCount(place, "to", chain.to.size(), made.value().size()));
    behind.to = pipeline_->outputs_.size();
    const TensorSpec& rows_like = behind.from.front().spec;
    for (std::size_t i = 0; i < chain.to.size(); ++i) {
      RETURN_IF_ERROR(AddOutput(place.chain() + ".to",
                                {.name = chain.to[i],
                                 .dtype = made.value()[i].dtype,
                                 .shape = WithRows(rows_like.shape[0], made.value()[i].row_shape),
                                 .first_dim_symbolic = rows_like.first_dim_symbolic}));
    }
    behind.chain = std::move(chain);
    pipeline_->behind_.push_back(std::move(behind));
    return {};
  }

  Result<Pipeline::Source> FindSource(const Place& place, const std::string& name) {
    if (const TensorSpec* const output = Find(model_outputs_, name); output != nullptr) {
      const auto index = static_cast<std::size_t>(output - model_outputs_.data());
      taken_[index] = true;
      return Pipeline::Source{.is_input = false, .index = index, .spec = *output};
    }
    if (const TensorSpec* const input = Find(model_inputs_, name); input != nullptr) {
      return Pipeline::Source{.is_input = true,
                              .index = static_cast<std::size_t>(input - model_inputs_.data()),
                              .spec = *input};
    }
    return place.Error(StrCat(".from: the model has no output or input '", name, "'; it gives ",
                              NamesOf(model_outputs_), " and takes ", NamesOf(model_inputs_)));
  }

  // Of a transform that says what it takes.
  Status CheckTaken(const Place& place, const PipelineChain& chain,
                    std::span<const TransformPort> ports) {
    const std::span<const TransformPort> taken = chain.transform->inputs();
    if (taken.empty()) return {};
    RETURN_IF_ERROR(CheckCount(place, "from", ports.size(), taken.size()));
    for (std::size_t i = 0; i < ports.size(); ++i) {
      const Shape given = WithRows(-1, ports[i].row_shape);
      const Shape wanted = WithRows(-1, taken[i].row_shape);
      if (ports[i].dtype == taken[i].dtype && Fits(given, wanted)) continue;
      return InvalidArgument(StrCat(place.first_step(), ": takes ",
                                    Describe(taken[i].dtype, wanted), ", '", chain.from[i],
                                    "' of the model is ", Describe(ports[i].dtype, given)));
    }
    return {};
  }

  Status AddOutput(const std::string& who, TensorSpec spec) {
    if (Find(pipeline_->outputs_, spec.name) != nullptr) {
      return InvalidArgument(StrCat(who, ": '", spec.name, "' is the name of another answer, too"));
    }
    pipeline_->outputs_.push_back(std::move(spec));
    return {};
  }

  Status PassOutputs() {
    for (std::size_t i = 0; i < model_outputs_.size(); ++i) {
      if (taken_[i]) continue;
      pipeline_->output_passes_.push_back({.from = i, .to = pipeline_->outputs_.size()});
      RETURN_IF_ERROR(AddOutput("postprocessing", model_outputs_[i]));
    }
    return {};
  }

  // A request for the model itself must not look like one for the pipeline.
  Status CheckTellable() {
    const bool tellable = std::ranges::any_of(model_inputs_, [this](const TensorSpec& own) {
      const TensorSpec* const client = Find(pipeline_->inputs_, own.name);
      return client == nullptr || client->dtype != own.dtype;
    });
    if (tellable) return {};
    return InvalidArgument(
        "allow_raw: the model's own inputs have the names and datatypes of those that are sent, so "
        "that requests could not be told apart; rename what `from` names");
  }

  const std::span<const TensorSpec> model_inputs_;
  const std::span<const TensorSpec> model_outputs_;
  std::unique_ptr<Pipeline> pipeline_{new Pipeline()};
  std::vector<std::string> made_;    // of each input of the model: by which chain
  std::vector<std::string> takers_;  // of each input that clients send: the first chain
  std::vector<bool> taken_;          // of each of its outputs
};

Result<std::unique_ptr<Pipeline>> Pipeline::Create(PipelineDeclaration declaration,
                                                   std::span<const TensorSpec> model_inputs,
                                                   std::span<const TensorSpec> model_outputs) {
  return PipelineBuilder(model_inputs, model_outputs).Build(std::move(declaration));
}

}  // namespace penstock
