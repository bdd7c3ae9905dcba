// penstock::Preprocessor over compiled stages: batches of rows, and a scratch for each thread that
// is running.
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <penstock/preprocess.h>

#include "preprocess/image/image_stage.h"
#include "preprocess/row_stage.h"

namespace penstock {
namespace {

using preprocess::RowScratch;
using preprocess::RowStage;

class PreprocessorImpl final : public Preprocessor {
 public:
  explicit PreprocessorImpl(std::unique_ptr<RowStage> stage) : stage_(std::move(stage)) {}

  std::string_view datatype() const override { return DataTypeName(stage_->datatype()); }
  std::span<const std::int64_t> row_shape() const override { return stage_->shape().dims(); }
  std::size_t row_bytes() const override { return stage_->row_bytes(); }

  bool Run(std::span<const std::string_view> rows, std::byte* output, Error* error) const override {
    std::unique_ptr<RowScratch> scratch = Take();
    const std::size_t row_bytes = stage_->row_bytes();
    Status status;
    for (std::size_t i = 0; i < rows.size() && status.ok(); ++i) {
      status = stage_->Run(rows[i], {output + i * row_bytes, row_bytes}, *scratch);
      if (!status.ok()) {
        *error = {.code = static_cast<int>(status.code()),
                  .message = "row " + std::to_string(i) + ": " + std::string(status.message())};
      }
    }
    Return(std::move(scratch));
    return status.ok();
  }

 private:
  // As many as ever ran at once.
  std::unique_ptr<RowScratch> Take() const {
    {
      const std::lock_guard lock(mu_);
      if (!free_.empty()) {
        std::unique_ptr<RowScratch> scratch = std::move(free_.back());
        free_.pop_back();
        return scratch;
      }
    }
    return stage_->MakeScratch();
  }
  void Return(std::unique_ptr<RowScratch> scratch) const {
    const std::lock_guard lock(mu_);
    free_.push_back(std::move(scratch));
  }

  const std::unique_ptr<RowStage> stage_;
  mutable std::mutex mu_;
  mutable std::vector<std::unique_ptr<RowScratch>> free_;  // guarded by mu_
};

}  // namespace

std::unique_ptr<Preprocessor> Preprocessor::Create(const std::vector<PreprocessStep>& steps,
                                                   StepError* error) {
  auto stage = preprocess::CompileImageStage(steps);
  if (auto* const refused = std::get_if<StepError>(&stage)) {
    *error = std::move(*refused);
    return nullptr;
  }
  return std::make_unique<PreprocessorImpl>(std::get<std::unique_ptr<RowStage>>(std::move(stage)));
}

}  // namespace penstock
