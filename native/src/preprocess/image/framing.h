// Which part of a picture goes where in the tensor: the arithmetic of crops, resizes and
// letterboxes. Pure; the steps of a pipeline become one FramingSpec, and that one Framing for each
// picture's size.
#pragma once

#include <cstdint>
#include <optional>

#include "base/status.h"

namespace penstock::preprocess {

struct Size {
  int width = 0;
  int height = 0;
  bool operator==(const Size&) const = default;
};

struct Rect {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
  bool operator==(const Rect&) const = default;
};

// An edge of tensors and of resized pictures: their planes and rows are indexed with int.
inline constexpr int kEdgeMax = 16'384;

enum class ResizeMode : std::uint8_t {
  kNone,
  kExact,         // to `size`, whatever that does to the proportions
  kShortestSide,  // the shorter side becomes size.width, the longer follows and is cut off
                  // downwards
  kLetterbox,     // as large as fits into `size`, centred, the rest is filled
};

struct FramingSpec {
  std::optional<Rect> crop_before;
  ResizeMode resize = ResizeMode::kNone;
  Size size;
  // Of the resized picture: either a centred size or a given rectangle.
  std::optional<Size> center_crop;
  std::optional<Rect> crop_after;
};

struct Framing {
  Rect source;   // of the picture
  Size resized;  // what `source` is resized to
  Rect window;   // the part of that which is wanted
  Size canvas;   // of the tensor
  int canvas_x = 0;
  int canvas_y = 0;  // where the window lies on the canvas
};

// The size of every tensor that the spec makes; nothing where it depends on the picture.
std::optional<Size> CanvasOf(const FramingSpec& spec);

// INVALID_ARGUMENT where a crop does not fit into this picture.
Result<Framing> Frame(const FramingSpec& spec, Size picture);

}  // namespace penstock::preprocess
