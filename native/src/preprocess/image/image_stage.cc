#include "preprocess/image/image_stage.h"

#include <cstdint>
#include <utility>
#include <vector>

#include "preprocess/image/image_plan.h"
#include "preprocess/image/resizer.h"

namespace penstock::preprocess {
namespace {

class ImageScratch final : public RowScratch {
 public:
  Decoder decoder;
  Resizer resizer{**RunnableKernels()};
};

class ImageStage final : public RowStage {
 public:
  explicit ImageStage(const ImagePlan& plan)
      : plan_(plan), halves_(HalvesOf(plan.format)), shape_(plan.format.ShapeOf(plan.canvas)) {
    if (plan_.scaled) plan_.decode.scaled_for = &plan_.framing;
  }

  DataType datatype() const override { return plan_.format.dtype; }
  const Shape& shape() const override { return shape_; }
  std::size_t row_bytes() const override { return plan_.format.BytesOf(plan_.canvas); }

  std::unique_ptr<RowScratch> MakeScratch() const override {
    return std::make_unique<ImageScratch>();
  }

  Status Run(std::string_view input, std::span<std::byte> output,
             RowScratch& scratch) const override {
    CHECK_EQ(output.size(), row_bytes());
    auto& image = static_cast<ImageScratch&>(scratch);
    ASSIGN_OR_RETURN(const DecodedPicture picture,
                     image.decoder.Decode(std::as_bytes(std::span(input)), plan_.decode));
    ASSIGN_OR_RETURN(Framing framing, Frame(plan_.framing, picture.full_size));
    // Decoded at a fraction of its size, the picture stands for the whole one.
    if (picture.view.size != picture.full_size) {
      framing.source = {0, 0, picture.view.size.width, picture.view.size.height};
    }
    image.resizer.Run(picture.view, framing, plan_.filter, plan_.format, halves_, output.data());
    image.decoder.Trim();
    return {};
  }

 private:
  ImagePlan plan_;
  const std::vector<std::uint16_t> halves_;
  const Shape shape_;
};

}  // namespace

std::variant<std::unique_ptr<RowStage>, Preprocessor::StepError> CompileImageStage(
    std::span<const PreprocessStep> steps) {
  auto plan = PlanImage(steps);
  if (auto* const error = std::get_if<Preprocessor::StepError>(&plan)) return std::move(*error);
  return std::make_unique<ImageStage>(std::get<ImagePlan>(plan));
}

}  // namespace penstock::preprocess
