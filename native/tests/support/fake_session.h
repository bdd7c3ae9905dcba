// An engine by hand: the specs, the cost and the arithmetic are what a test says. Configure it
// before use; Run may then be called by several threads if `compute` may.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "session/session.h"
#include "support/strings.h"
#include "tensor/bytes.h"

namespace penstock {

// Outputs that own their bytes.
class FakeOutputs final : public SessionOutputs {
 public:
  // Counts itself in `live`, which outlives it.
  explicit FakeOutputs(std::atomic<std::int64_t>* live) : live_(live) { ++*live_; }
  ~FakeOutputs() override { --*live_; }
  FakeOutputs(const FakeOutputs&) = delete;
  FakeOutputs& operator=(const FakeOutputs&) = delete;

  void Add(DataType dtype, const Shape& shape, std::span<const std::byte> bytes) {
    std::vector<std::byte>& owned = *storage_.emplace_back(
        std::make_unique<std::vector<std::byte>>(bytes.begin(), bytes.end()));
    views_.push_back({.dtype = dtype, .shape = shape, .data = owned});
  }
  template <typename T>
  void Add(DataType dtype, const Shape& shape, const std::vector<T>& values) {
    CHECK_EQ(sizeof(T), DataTypeSize(dtype));
    Add(dtype, shape, std::as_bytes(std::span(values)));
  }
  // Strings, put into their wire form.
  void AddStrings(const Shape& shape, const std::vector<std::string>& values) {
    Add(DataType::kBytes, shape, std::span<const std::byte>(BytesOf(values)));
  }
  std::span<const TensorView> tensors() const override { return views_; }
  std::span<const std::size_t> element_offsets(std::size_t index) const override {
    std::vector<std::size_t>& offsets = offsets_[index];
    if (offsets.empty()) {
      BytesReader reader(views_[index].data);
      for (offsets.push_back(0); !reader.done(); offsets.push_back(reader.offset())) reader.Next();
    }
    return offsets;
  }

 private:
  std::atomic<std::int64_t>* const live_;
  mutable std::map<std::size_t, std::vector<std::size_t>> offsets_;
  std::vector<std::unique_ptr<std::vector<std::byte>>> storage_;
  std::vector<TensorView> views_;
};

// What a FakeSession's runs look at.
class FakeRunStop final : public RunStop {
 public:
  explicit FakeRunStop(const std::function<void()>& on_terminate) : on_terminate_(on_terminate) {}
  void Terminate() override {
    if (on_terminate_) on_terminate_();
    asked_ = true;
  }
  void Reset() override { asked_ = false; }
  bool asked() const { return asked_; }

 private:
  const std::function<void()>& on_terminate_;
  std::atomic<bool> asked_{false};
};

class FakeSession final : public Session {
 public:
  // Fills the outputs from the inputs, or says why not.
  using Compute = std::function<Status(std::span<const TensorView> inputs, FakeOutputs& outputs)>;

  FakeSession(std::vector<TensorSpec> inputs, std::vector<TensorSpec> outputs, Compute compute)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)), compute_(std::move(compute)) {}
  // No outputs outlive their session.
  ~FakeSession() override { CHECK_EQ(live_outputs_.load(), 0); }
  FakeSession(const FakeSession&) = delete;
  FakeSession& operator=(const FakeSession&) = delete;

  void set_data_dependent_operator(std::string name) { data_dependent_operator_ = std::move(name); }

  std::unique_ptr<RunStop> NewRunStop() override {
    return std::make_unique<FakeRunStop>(on_terminate_);
  }
  // Before a run is told to end; set while there is none.
  void set_on_terminate(std::function<void()> act) { on_terminate_ = std::move(act); }
  // Of the run under way: for a `compute` that waits to be told.
  const FakeRunStop* stop() const { return stop_; }

  std::span<const TensorSpec> inputs() const override { return inputs_; }
  std::span<const TensorSpec> outputs() const override { return outputs_; }
  std::string_view data_dependent_operator() const override { return data_dependent_operator_; }
  using Session::Run;
  Result<std::unique_ptr<SessionOutputs>> Run(std::span<const TensorView> inputs,
                                              RunStop* stop) override {
    ++runs_;
    stop_ = static_cast<FakeRunStop*>(stop);
    CHECK_EQ(inputs.size(), inputs_.size());
    if (stop_ != nullptr && stop_.load()->asked()) return Internal("told to end");
    auto outputs = std::make_unique<FakeOutputs>(&live_outputs_);
    RETURN_IF_ERROR(compute_(inputs, *outputs));
    CHECK_EQ(outputs->tensors().size(), outputs_.size());
    return std::unique_ptr<SessionOutputs>(std::move(outputs));
  }

  // Counted when a run starts, failed ones too.
  std::int64_t runs() const { return runs_; }
  std::int64_t live_outputs() const { return live_outputs_; }

 private:
  std::atomic<FakeRunStop*> stop_{nullptr};
  std::function<void()> on_terminate_;
  const std::vector<TensorSpec> inputs_;
  const std::vector<TensorSpec> outputs_;
  const Compute compute_;
  std::string data_dependent_operator_;
  std::atomic<std::int64_t> runs_{0};
  std::atomic<std::int64_t> live_outputs_{0};
};

}  // namespace penstock
