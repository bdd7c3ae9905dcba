#include "preprocess/image/image_plan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace penstock::preprocess {
namespace {

// Nothing is wrong, or the sentence that says what.
using Complaint = std::optional<std::string>;

template <typename Value>
struct Named {
  std::string_view name;
  Value value;
};

constexpr std::array<Named<Filter>, 5> kFilters = {{{"nearest", Filter::kNearest},
                                                    {"box", Filter::kBox},
                                                    {"bilinear", Filter::kBilinear},
                                                    {"bicubic", Filter::kBicubic},
                                                    {"lanczos", Filter::kLanczos}}};
constexpr std::array<Named<ResizeMode>, 3> kModes = {
    {{"exact", ResizeMode::kExact},
     {"letterbox", ResizeMode::kLetterbox},
     {"shortest_side", ResizeMode::kShortestSide}}};
constexpr std::array<Named<Layout>, 2> kLayouts = {{{"CHW", Layout::kChw}, {"HWC", Layout::kHwc}}};
constexpr std::array<Named<DataType>, 3> kDataTypes = {
    {{"FP32", DataType::kFp32}, {"FP16", DataType::kFp16}, {"UINT8", DataType::kUint8}}};

template <typename Value, std::size_t kCount>
Complaint Find(const std::array<Named<Value>, kCount>& table, std::string_view name,
               std::string_view what, Value& value) {
  std::string known;
  for (const Named<Value>& entry : table) {
    if (entry.name == name) {
      value = entry.value;
      return std::nullopt;
    }
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  }
  return std::string(what) + " '" + std::string(name) + "' is unknown; known: " + known;
}

Complaint CheckEdges(std::int64_t width, std::int64_t height) {
  if (width >= 1 && width <= kEdgeMax && height >= 1 && height <= kEdgeMax) return std::nullopt;
  return "width and height must be 1 to " + std::to_string(kEdgeMax) + ", not " +
         std::to_string(width) + " and " + std::to_string(height);
}

std::string Text(const Size& size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

// Takes the steps one after the other. Where each may stand is decided by what came before.
class Planner final {
 public:
  Complaint operator()(const DecodeImageStep& step) {
    if (decoded_) return "the picture was decoded before";
    if (step.max_pixels < 1 || step.max_scans < 1 || step.max_memory_bytes < 1) {
      return "max_pixels, max_scans and max_memory_bytes must be positive";
    }
    decoded_ = true;
    plan_.decode.limits = {.pixels_max = step.max_pixels,
                           .scans_max = static_cast<int>(
                               std::min<std::int64_t>(step.max_scans, std::int64_t{1} << 30)),
                           .memory_bytes_max = step.max_memory_bytes};
    plan_.decode.grey = step.grey;
    plan_.decode.orient = step.orient;
    plan_.decode.alpha.composite = step.composite_alpha;
    std::ranges::copy(step.background, plan_.decode.alpha.background);
    plan_.scaled = step.scaled;
    plan_.format.channels = step.grey ? 1 : 3;
    return std::nullopt;
  }

  Complaint operator()(const ReadPixelsStep& step) {
    if (decoded_) return "the picture was decoded before";
    if (Complaint complaint = CheckEdges(step.width, step.height); complaint) return complaint;
    decoded_ = true;
    plan_.pixels = Size{static_cast<int>(step.width), static_cast<int>(step.height)};
    plan_.format.channels = step.grey ? 1 : 3;
    return std::nullopt;
  }

  Complaint operator()(const CropStep& step) {
    if (Complaint complaint = CheckOrder(); complaint) return complaint;
    if (Complaint complaint = CheckEdges(step.width, step.height); complaint) return complaint;
    // So that x + width is no overflow; no picture is larger.
    constexpr std::int64_t kOffsetMax = std::int64_t{1} << 30;
    if (step.x < 0 || step.y < 0 || step.x > kOffsetMax || step.y > kOffsetMax) {
      return "x and y must be 0 to " + std::to_string(kOffsetMax);
    }
    const Rect rect{static_cast<int>(step.x), static_cast<int>(step.y),
                    static_cast<int>(step.width), static_cast<int>(step.height)};
    if (!resized_) {
      if (plan_.framing.crop_before) return "the picture is cropped before: crop it once";
      if (plan_.scaled) return "a crop before the resize needs every pixel: set scaled to false";
      plan_.framing.crop_before = rect;
      return std::nullopt;
    }
    if (Complaint complaint = CheckLastCrop(rect.x + rect.width, rect.y + rect.height); complaint) {
      return complaint;
    }
    plan_.framing.crop_after = rect;
    return std::nullopt;
  }

  Complaint operator()(const ResizeStep& step) {
    if (Complaint complaint = CheckOrder(); complaint) return complaint;
    if (resized_) return "the picture is resized before: resize it once";
    if (plan_.framing.center_crop) return "a centre crop before the resize is not supported";
    const bool shortest = step.mode == "shortest_side";
    if (Complaint complaint = CheckEdges(step.width, shortest ? step.width : step.height);
        complaint) {
      return complaint;
    }
    if (Complaint complaint = Find(kModes, step.mode, "mode", plan_.framing.resize); complaint) {
      return complaint;
    }
    if (Complaint complaint = Find(kFilters, step.filter, "filter", plan_.filter); complaint) {
      return complaint;
    }
    resized_ = true;
    plan_.framing.size = {.width = static_cast<int>(step.width),
                          .height = static_cast<int>(shortest ? step.width : step.height)};
    fill_ = step.fill;
    return std::nullopt;
  }

  Complaint operator()(const CenterCropStep& step) {
    if (Complaint complaint = CheckOrder(); complaint) return complaint;
    if (Complaint complaint = CheckEdges(step.width, step.height); complaint) return complaint;
    const Size size{static_cast<int>(step.width), static_cast<int>(step.height)};
    if (Complaint complaint = CheckLastCrop(size.width, size.height); complaint) return complaint;
    plan_.framing.center_crop = size;
    return std::nullopt;
  }

  Complaint operator()(const NormalizeStep& step) {
    if (Complaint complaint = CheckOrder(); complaint) return complaint;
    const auto channels = static_cast<std::size_t>(plan_.format.channels);
    for (const auto* list : {&step.mean, &step.std}) {
      if (list->size() != 1 && list->size() != channels) {
        return "mean and std need 1 or " + std::to_string(channels) + " numbers, not " +
               std::to_string(list->size());
      }
    }
    for (std::size_t c = 0; c < channels; ++c) {
      const double mean = step.mean[step.mean.size() == 1 ? 0 : c];
      const double std = step.std[step.std.size() == 1 ? 0 : c];
      const ChannelLine line{static_cast<float>(step.scale / std), static_cast<float>(-mean / std)};
      if (!std::isfinite(line.scale) || !std::isfinite(line.bias)) {
        return "scale, mean and std must be finite and std not 0";
      }
      plan_.format.lines[c] = line;
    }
    normalized_ = true;
    return std::nullopt;
  }

  Complaint operator()(const ToTensorStep& step) {
    if (Complaint complaint = CheckOrder(false); complaint) return complaint;
    if (Complaint complaint = Find(kDataTypes, step.datatype, "datatype", plan_.format.dtype);
        complaint) {
      return complaint;
    }
    if (Complaint complaint = Find(kLayouts, step.layout, "layout", plan_.format.layout);
        complaint) {
      return complaint;
    }
    if (normalized_ && plan_.format.dtype == DataType::kUint8) {
      return "UINT8 cannot hold normalised values; leave normalize out or take FP32 or FP16";
    }
    std::optional<Size> canvas = CanvasOf(plan_.framing);
    if (plan_.pixels) {
      const Result<Framing> framing = Frame(plan_.framing, *plan_.pixels);
      if (!framing.ok()) return std::string(framing.status().message());
      canvas = framing.value().canvas;
    }
    if (!canvas) return "the tensor's size would depend on the picture: resize or crop it";
    plan_.canvas = *canvas;
    plan_.row_shape = plan_.format.ShapeOf(*canvas);
    if (!step.shape.empty()) {
      if (Complaint complaint = Reshape(step.shape); complaint) return complaint;
    }
    finished_ = true;
    plan_.format.reversed = step.bgr && plan_.format.channels == 3;
    for (std::size_t c = 0; c < 3; ++c) plan_.format.fill[c] = fill_[c];
    if (plan_.format.reversed) {
      // mean and std are given in the tensor's order, as frameworks give them; colours are not.
      std::ranges::reverse(plan_.format.fill);
    }
    return std::nullopt;
  }

  Complaint Reshape(std::span<const std::int64_t> dims) {
    if (dims.size() >= Shape::kRankMax) return "shape has too many dimensions";
    Shape shape;
    for (const std::int64_t dim : dims) shape.Append(dim);
    if (shape.ElementCount() != plan_.row_shape.ElementCount()) {
      return "shape " + shape.ToString() + " holds another number of elements than " +
             plan_.row_shape.ToString();
    }
    plan_.row_shape = shape;
    return std::nullopt;
  }

  bool finished() const { return finished_; }
  const ImagePlan& plan() const { return plan_; }

 private:
  Complaint CheckOrder(bool before_normalize = true) const {
    if (!decoded_) return "decode_image or read_pixels must come first";
    if (finished_) return "to_tensor must be the last step";
    if (before_normalize && normalized_) return "after normalize only to_tensor may follow";
    return std::nullopt;
  }

  // `right` and `bottom`: what the crop needs of the resized picture, as far as that is known.
  Complaint CheckLastCrop(int right, int bottom) const {
    if (plan_.framing.center_crop || plan_.framing.crop_after) {
      return "the picture is cropped before: crop it once";
    }
    if (plan_.framing.resize == ResizeMode::kLetterbox) {
      return "a letterboxed picture has its size: leave the crop out";
    }
    std::optional<Size> known = CanvasOf(plan_.framing);
    if (plan_.framing.resize == ResizeMode::kShortestSide) known = std::nullopt;
    if (known && (right > known->width || bottom > known->height)) {
      return "it needs " + Text({right, bottom}) + " pixels of a picture of " + Text(*known);
    }
    return std::nullopt;
  }

  ImagePlan plan_ = DefaultPlan();
  std::array<std::uint8_t, 3> fill_{};
  bool decoded_ = false;
  bool resized_ = false;
  bool normalized_ = false;
  bool finished_ = false;

  static ImagePlan DefaultPlan() {
    ImagePlan plan;
    plan.format.lines.fill({.scale = 1, .bias = 0});
    return plan;
  }
};

}  // namespace

std::variant<ImagePlan, StepError> PlanImage(std::span<const PreprocessStep> steps) {
  Planner planner;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (Complaint complaint = std::visit(planner, steps[i]); complaint) {
      return StepError{.step = i, .message = std::move(*complaint)};
    }
  }
  if (!planner.finished()) {
    return StepError{.step = steps.empty() ? 0 : steps.size() - 1,
                     .message = "the steps must end with to_tensor"};
  }
  return planner.plan();
}

}  // namespace penstock::preprocess
