#include "preprocess/image/framing.h"

#include <gtest/gtest.h>

#include <string>

namespace penstock::preprocess {
namespace {

FramingSpec ShortestSide(int edge) {
  FramingSpec spec;
  spec.resize = ResizeMode::kShortestSide;
  spec.size = {.width = edge, .height = edge};
  return spec;
}

TEST(Framing, ShortestSide_FollowsTheProportions) {
  const FramingSpec spec = ShortestSide(256);
  EXPECT_EQ(Frame(spec, {640, 480}).value().resized, (Size{341, 256}));
  EXPECT_EQ(Frame(spec, {480, 640}).value().resized, (Size{256, 341}));
  EXPECT_EQ(Frame(spec, {100, 100}).value().resized, (Size{256, 256}));
}

TEST(Framing, ShortestSideAlone_HasNoFixedSize) {
  FramingSpec spec = ShortestSide(256);
  EXPECT_FALSE(CanvasOf(spec).has_value());
  spec.center_crop = Size{224, 224};
  EXPECT_EQ(CanvasOf(spec), (Size{224, 224}));
}

TEST(Framing, ShortestSideOfAStrip_IsRefused) {
  const Result<Framing> framing = Frame(ShortestSide(256), {1, 4'000});
  ASSERT_FALSE(framing.ok());
  EXPECT_NE(framing.status().message().find("256x1024000"), std::string::npos);
}

TEST(Framing, CropLargerThanThePicture_IsRefused) {
  FramingSpec spec;
  spec.center_crop = Size{224, 224};
  const Result<Framing> framing = Frame(spec, {300, 200});
  ASSERT_FALSE(framing.ok());
  EXPECT_EQ(framing.status().message(),
            "the centre crop 224x224 does not fit into the picture, 300x200 there");
}

TEST(Framing, Letterbox_CentresTheWindow) {
  FramingSpec spec;
  spec.resize = ResizeMode::kLetterbox;
  spec.size = {.width = 640, .height = 640};
  const Framing framing = Frame(spec, {1280, 720}).value();
  EXPECT_EQ(framing.resized, (Size{640, 360}));
  EXPECT_EQ(framing.canvas, (Size{640, 640}));
  EXPECT_EQ(framing.canvas_y, 140);
}

}  // namespace
}  // namespace penstock::preprocess
