// Preprocessing: a declared list of steps, compiled once, that turns what clients hold into
// tensors. Python reads the declaration and fills these structs; nothing here parses configuration.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <penstock/error.h>
#include <penstock/transform.h>

namespace penstock {

// A JPEG or PNG file becomes pixels.
struct DecodeImageStep {
  bool grey = false;
  bool orient = true;                        // as EXIF says
  bool composite_alpha = false;              // over `background`; else alpha is dropped
  std::array<std::uint8_t, 3> background{};  // red, green, blue
  bool scaled = false;                       // see docs/preprocessing.md: quicker, not exact
  std::int64_t max_pixels = 0;
  std::int64_t max_scans = 0;
  std::int64_t max_memory_bytes = 0;
};

// Pixels that somebody else has decoded: rows of grey or of red, green and blue, without padding.
struct ReadPixelsStep {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool grey = false;
};

// Before a resize it cuts the picture, after it what was resized.
struct CropStep {
  std::int64_t x = 0;
  std::int64_t y = 0;
  std::int64_t width = 0;
  std::int64_t height = 0;
};
struct CenterCropStep {
  std::int64_t width = 0;
  std::int64_t height = 0;
};

struct ResizeStep {
  std::string mode;    // "exact", "letterbox" or "shortest_side", whose edge is `width`
  std::string filter;  // "nearest", "box", "bilinear", "bicubic" or "lanczos"
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::array<std::uint8_t, 3> fill{};  // around a letterboxed picture
};

// value * scale, then minus mean, over std: each of one element, or one for each channel.
struct NormalizeStep {
  double scale = 1;
  std::vector<double> mean;
  std::vector<double> std;
};

// The last of the image steps.
struct ToTensorStep {
  std::string datatype;  // "FP32", "FP16" or "UINT8"
  std::string layout;    // "CHW" or "HWC"
  bool bgr = false;
  std::vector<std::int64_t> shape;  // of as many elements; empty: as the layout has it
};

using PreprocessStep = std::variant<DecodeImageStep, ReadPixelsStep, CropStep, ResizeStep,
                                    CenterCropStep, NormalizeStep, ToTensorStep>;

// The same for a pipeline: BYTES [rows], each the file or the pixels of one picture, becomes a
// tensor. Null where a step cannot work.
std::shared_ptr<const Transform> CreateImageTransform(const std::vector<PreprocessStep>& steps,
                                                      StepError* error);

// Pictures in the caller's own memory into a tensor in the caller's own memory. Immutable; any
// number of threads may run it at once.
class Preprocessor {
 public:
  // Null where a step cannot work, which `error` says.
  static std::unique_ptr<Preprocessor> Create(const std::vector<PreprocessStep>& steps,
                                              StepError* error);

  Preprocessor(const Preprocessor&) = delete;
  Preprocessor& operator=(const Preprocessor&) = delete;
  virtual ~Preprocessor() = default;

  // Of the tensor that one row becomes.
  virtual std::string_view datatype() const = 0;
  virtual std::span<const std::int64_t> row_shape() const = 0;
  virtual std::size_t row_bytes() const = 0;

  // Writes rows.size() * row_bytes() bytes to `output`. Stops at the first row that fails; `error`
  // then names it.
  virtual bool Run(std::span<const std::string_view> rows, std::byte* output,
                   Error* error) const = 0;

 protected:
  Preprocessor() = default;
};

}  // namespace penstock
