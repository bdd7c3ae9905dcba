#include "preprocess/image/framing.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace penstock::preprocess {
namespace {

std::string Text(Size size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

Status CropError(const char* what, Size crop, Size picture) {
  return InvalidArgument(std::string(what) + " " + Text(crop) + " does not fit into the picture, " +
                         Text(picture) + " there");
}

bool Fits(const Rect& rect, Size size) {
  return rect.width <= size.width - rect.x && rect.height <= size.height - rect.y;
}

// An edge in proportion; at least one pixel.
int InProportion(int edge, int numerator, int denominator) {
  return std::max(1, static_cast<int>(std::int64_t{edge} * numerator / denominator));
}

// Rounded as Pillow's ImageOps.contain rounds.
Size Contained(Size picture, Size box) {
  const double ratio = static_cast<double>(picture.width) / picture.height;
  const double box_ratio = static_cast<double>(box.width) / box.height;
  Size size = box;
  const auto rounded = [](double edge) {
    return std::max(1, static_cast<int>(std::nearbyint(edge)));
  };
  if (ratio > box_ratio) {
    size.height = rounded(static_cast<double>(picture.height) / picture.width * box.width);
  } else if (ratio < box_ratio) {
    size.width = rounded(static_cast<double>(picture.width) / picture.height * box.height);
  }
  return size;
}

Size Resized(const FramingSpec& spec, Size source) {
  switch (spec.resize) {
    case ResizeMode::kNone:
      return source;
    case ResizeMode::kExact:
      return spec.size;
    case ResizeMode::kLetterbox:
      return Contained(source, spec.size);
    case ResizeMode::kShortestSide:
      break;
  }
  const int edge = spec.size.width;
  if (source.width <= source.height) {
    return {.width = edge, .height = InProportion(edge, source.height, source.width)};
  }
  return {.width = InProportion(edge, source.width, source.height), .height = edge};
}

// Half of what is left over, rounded as torchvision's CenterCrop rounds: halves to even.
int Margin(int outer, int inner) {
  return static_cast<int>(std::nearbyint((outer - inner) / 2.0));
}

}  // namespace

std::optional<Size> CanvasOf(const FramingSpec& spec) {
  if (spec.center_crop) return spec.center_crop;
  if (spec.crop_after) return Size{spec.crop_after->width, spec.crop_after->height};
  switch (spec.resize) {
    case ResizeMode::kExact:
    case ResizeMode::kLetterbox:
      return spec.size;
    case ResizeMode::kNone:
      if (spec.crop_before) return Size{spec.crop_before->width, spec.crop_before->height};
      break;
    case ResizeMode::kShortestSide:
      break;
  }
  return std::nullopt;
}

Result<Framing> Frame(const FramingSpec& spec, Size picture) {
  Framing framing;
  framing.source = spec.crop_before.value_or(Rect{0, 0, picture.width, picture.height});
  if (!Fits(framing.source, picture)) {
    return CropError("the crop", {framing.source.width, framing.source.height}, picture);
  }
  framing.resized = Resized(spec, {framing.source.width, framing.source.height});
  if (framing.resized.width > kEdgeMax || framing.resized.height > kEdgeMax) {
    return InvalidArgument("the picture, " + Text(picture) + ", would be resized to " +
                           Text(framing.resized) + ", an edge may have " +
                           std::to_string(kEdgeMax) + " pixels");
  }
  framing.window = {0, 0, framing.resized.width, framing.resized.height};
  if (spec.center_crop) {
    const Size crop = *spec.center_crop;
    if (crop.width > framing.resized.width || crop.height > framing.resized.height) {
      return CropError("the centre crop", crop, framing.resized);
    }
    framing.window = {Margin(framing.resized.width, crop.width),
                      Margin(framing.resized.height, crop.height), crop.width, crop.height};
  } else if (spec.crop_after) {
    framing.window = *spec.crop_after;
    if (!Fits(framing.window, framing.resized)) {
      return CropError("the crop", {framing.window.width, framing.window.height}, framing.resized);
    }
  }
  framing.canvas = {framing.window.width, framing.window.height};
  if (spec.resize == ResizeMode::kLetterbox && !spec.center_crop && !spec.crop_after) {
    framing.canvas = spec.size;
    framing.canvas_x = (spec.size.width - framing.resized.width) / 2;
    framing.canvas_y = (spec.size.height - framing.resized.height) / 2;
  }
  return framing;
}

}  // namespace penstock::preprocess
