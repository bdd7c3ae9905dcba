// What the decoders' targets share: a file through the whole image stage, under limits that keep a
// run short, with what is done to the picture chosen by the size of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "base/check.h"
#include "preprocess/image/image_stage.h"

namespace penstock {

struct PictureStage {
  std::unique_ptr<preprocess::RowStage> stage;
  std::unique_ptr<preprocess::RowScratch> scratch;
};

inline PictureStage MakePictureStage(const DecodeImageStep& decode, const char* filter) {
  const std::vector<PreprocessStep> steps = {
      decode,
      ResizeStep{.mode = "letterbox", .filter = filter, .width = 12, .height = 7},
      NormalizeStep{.scale = 1, .mean = {0}, .std = {1}},
      ToTensorStep{.datatype = "FP32", .layout = "CHW"},
  };
  auto compiled = preprocess::CompileImageStage(steps);
  CHECK(std::holds_alternative<std::unique_ptr<preprocess::RowStage>>(compiled));
  PictureStage made;
  made.stage = std::get<std::unique_ptr<preprocess::RowStage>>(std::move(compiled));
  made.scratch = made.stage->MakeScratch();
  return made;
}

// Every element is written where the file is a picture; where it is none, a message says why.
inline void FuzzPicture(const std::uint8_t* data, std::size_t size) {
  static std::vector<PictureStage>& stages = *new std::vector<PictureStage>([] {
    DecodeImageStep decode{.max_pixels = 1 << 16, .max_scans = 20, .max_memory_bytes = 1 << 20};
    std::vector<PictureStage> made;
    made.push_back(MakePictureStage(decode, "bicubic"));
    decode.grey = true;
    decode.scaled = true;
    made.push_back(MakePictureStage(decode, "box"));
    decode.grey = false;
    decode.composite_alpha = true;
    decode.orient = false;
    made.push_back(MakePictureStage(decode, "nearest"));
    return made;
  }());
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  for (const PictureStage& stage : stages) {
    std::vector<float> tensor(stage.stage->row_bytes() / sizeof(float), -1.0F);
    const Status status =
        stage.stage->Run(file, std::as_writable_bytes(std::span(tensor)), *stage.scratch);
    CHECK(status.ok() || !status.message().empty());
    if (!status.ok()) continue;
    for (const float value : tensor) CHECK(value >= 0 && value <= 255);
  }
}

}  // namespace penstock
