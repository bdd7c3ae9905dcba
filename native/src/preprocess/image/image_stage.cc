#include "preprocess/image/image_stage.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "preprocess/image/image_plan.h"
#include "preprocess/image/resizer.h"
#include "preprocess/image/sample_jpeg.h"
#include "preprocess/row_transform.h"

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
      : plan_(plan), halves_(HalvesOf(plan.format)), shape_(plan.row_shape) {
    if (plan_.scaled) plan_.decode.scaled_for = &plan_.framing;
  }

  TransformPort input() const override {
    if (!plan_.pixels) return {.dtype = DataType::kBytes, .row_shape = {}};
    TransformPort port = {.dtype = DataType::kUint8,
                          .row_shape = {plan_.pixels->height, plan_.pixels->width}};
    if (plan_.format.channels > 1) port.row_shape.Append(plan_.format.channels);
    return port;
  }
  std::string MakeSample() const override {
    return plan_.pixels ? std::string(PixelBytes(), '\0') : MakeSampleJpeg();
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
    if (plan_.pixels) return RunPixels(input, output, image.resizer);
    const std::span<const std::byte> file = std::as_bytes(std::span(input));
    Status status;
    if (IsJpeg(file)) {
      status = RunJpeg(file, output, image);
    } else {
      Result<DecodedPicture> picture = image.decoder.Decode(file, plan_.decode);
      status = picture.ok() ? Place(*picture, output, image.resizer) : picture.status();
    }
    image.decoder.Trim();
    return status;
  }

 private:
  Status RunJpeg(std::span<const std::byte> file, std::span<std::byte> output,
                 ImageScratch& image) const {
    ASSIGN_OR_RETURN(const std::unique_ptr<JpegFile> jpeg, JpegFile::Open(file, plan_.decode));
    const RawPicture& raw = jpeg->raw();
    // Rows go from the decoder into the resize while they are in the caches, where that can be.
    if (raw.orientation == 1) {
      ASSIGN_OR_RETURN(const Framing framing, FrameDecoded(raw.size, raw.full_size));
      std::unique_ptr<RowSource> rows;
      if (Resizer::TakesRows(raw.size, framing, plan_.filter)) {
        rows = image.decoder.RowsOf(*jpeg, plan_.decode);
      }
      if (rows != nullptr) {
        return image.resizer.RunRows(*rows, raw.size, ChannelsOf(raw.kind), framing, plan_.filter,
                                     plan_.format, halves_, output.data());
      }
    }
    ASSIGN_OR_RETURN(const DecodedPicture picture, image.decoder.Decode(*jpeg, plan_.decode));
    return Place(picture, output, image.resizer);
  }

  Status Place(const DecodedPicture& picture, std::span<std::byte> output, Resizer& resizer) const {
    ASSIGN_OR_RETURN(const Framing framing, FrameDecoded(picture.view.size, picture.full_size));
    resizer.Run(picture.view, framing, plan_.filter, plan_.format, halves_, output.data());
    return {};
  }

  // Decoded at a fraction of its size, a picture stands for the whole one.
  Result<Framing> FrameDecoded(Size decoded, Size full_size) const {
    Result<Framing> framing = Frame(plan_.framing, full_size);
    if (framing.ok() && decoded != full_size) {
      framing->source = {0, 0, decoded.width, decoded.height};
    }
    return framing;
  }

  Status RunPixels(std::string_view input, std::span<std::byte> output, Resizer& resizer) const {
    const Size size = *plan_.pixels;
    const PictureView picture{.pixels = reinterpret_cast<const std::uint8_t*>(input.data()),
                              .size = size,
                              .channels = plan_.format.channels,
                              .row_bytes = static_cast<std::size_t>(size.width) *
                                           static_cast<std::size_t>(plan_.format.channels),
                              .padded = false};
    const std::size_t needed = PixelBytes();
    if (input.size() != needed) {
      return InvalidArgument(std::to_string(input.size()) + " bytes of pixels, " +
                             std::to_string(size.width) + "x" + std::to_string(size.height) +
                             " of " + std::to_string(plan_.format.channels) + " channels need " +
                             std::to_string(needed));
    }
    ASSIGN_OR_RETURN(const Framing framing, Frame(plan_.framing, size));
    resizer.Run(picture, framing, plan_.filter, plan_.format, halves_, output.data());
    return {};
  }

  std::size_t PixelBytes() const {
    return static_cast<std::size_t>(plan_.pixels->width) *
           static_cast<std::size_t>(plan_.pixels->height) *
           static_cast<std::size_t>(plan_.format.channels);
  }

  ImagePlan plan_;
  const std::vector<std::uint16_t> halves_;
  const Shape shape_;
};

}  // namespace

std::variant<std::unique_ptr<RowStage>, StepError> CompileImageStage(
    std::span<const PreprocessStep> steps) {
  auto plan = PlanImage(steps);
  if (auto* const error = std::get_if<StepError>(&plan)) return std::move(*error);
  return std::make_unique<ImageStage>(std::get<ImagePlan>(plan));
}

}  // namespace penstock::preprocess

namespace penstock {

std::shared_ptr<const Transform> CreateImageTransform(const std::vector<PreprocessStep>& steps,
                                                      StepError* error) {
  auto stage = preprocess::CompileImageStage(steps);
  if (auto* const refused = std::get_if<StepError>(&stage)) {
    *error = std::move(*refused);
    return nullptr;
  }
  return preprocess::MakeRowTransform(
      std::get<std::unique_ptr<preprocess::RowStage>>(std::move(stage)));
}

}  // namespace penstock
