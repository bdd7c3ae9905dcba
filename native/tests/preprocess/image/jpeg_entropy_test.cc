// Our Huffman decoder beside libjpeg's own, on whole files: the same rows, and the same error where
// a file is broken.
#include "preprocess/image/jpeg_entropy.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

// It names FILE and size_t and includes nothing for them, so it comes after what does.
// clang-format off
#include <jpeglib.h>
// clang-format on

#include "preprocess/image/decode.h"
#include "support/jpeg_rows.h"

namespace penstock::preprocess {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Recipe {
  int width = 67;
  int height = 45;
  int components = 3;  // 1: grey, 3: YCbCr, 4: CMYK
  int horizontal = 2;  // samples of the first component for one of the others
  int vertical = 2;
  int quality = 85;
  bool optimised = false;
  unsigned restart_interval = 0;  // MCUs
  int noise = 64;                 // of 255
  bool progressive = false;
  bool arithmetic = false;
};

std::string Describe(const Recipe& recipe) {
  return std::to_string(recipe.width) + "x" + std::to_string(recipe.height) + " of " +
         std::to_string(recipe.components) + " components, " + std::to_string(recipe.horizontal) +
         ":" + std::to_string(recipe.vertical) + ", quality " + std::to_string(recipe.quality) +
         (recipe.optimised ? ", optimised" : "") + ", restarts " +
         std::to_string(recipe.restart_interval) + ", noise " + std::to_string(recipe.noise);
}

Bytes Encode(const Recipe& recipe) {
  jpeg_compress_struct compress = {};
  jpeg_error_mgr errors = {};
  compress.err = jpeg_std_error(&errors);  // ends the program where a recipe is impossible
  jpeg_create_compress(&compress);
  unsigned char* data = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): the library's
  jpeg_mem_dest(&compress, &data, &size);
  compress.image_width = static_cast<JDIMENSION>(recipe.width);
  compress.image_height = static_cast<JDIMENSION>(recipe.height);
  compress.input_components = recipe.components;
  compress.in_color_space = recipe.components == 1   ? JCS_GRAYSCALE
                            : recipe.components == 3 ? JCS_RGB
                                                     : JCS_CMYK;
  jpeg_set_defaults(&compress);
  jpeg_set_quality(&compress, recipe.quality, TRUE);
  compress.comp_info[0].h_samp_factor = recipe.horizontal;
  compress.comp_info[0].v_samp_factor = recipe.vertical;
  compress.optimize_coding = recipe.optimised ? TRUE : FALSE;
  compress.restart_interval = recipe.restart_interval;
  compress.arith_code = recipe.arithmetic ? TRUE : FALSE;
  if (recipe.progressive) jpeg_simple_progression(&compress);
  jpeg_start_compress(&compress, TRUE);
  std::minstd_rand random(1);
  Bytes row(static_cast<std::size_t>(recipe.width * recipe.components));
  for (int y = 0; y < recipe.height; ++y) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const int shade = static_cast<int>(i) * 2 + y * 3;
      const int grain = static_cast<int>(random() % 256) * recipe.noise / 256;
      row[i] = static_cast<std::uint8_t>((shade % (256 - recipe.noise)) + grain);
    }
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&compress, &rows, 1);
  }
  jpeg_finish_compress(&compress);
  Bytes file(data, data + size);
  jpeg_destroy_compress(&compress);
  std::free(data);
  return file;
}

// `edge`: what the shorter edge has to be at least, so that the picture may be decoded smaller.
JpegRows Decode(const Bytes& file, std::optional<int> edge, HuffmanChoice choice) {
  FramingSpec framing;
  DecodeOptions options;
  options.huffman = choice;
  if (edge) {
    framing.resize = ResizeMode::kShortestSide;
    framing.size = {.width = *edge, .height = *edge};
    options.scaled_for = &framing;
  }
  return DecodeJpegRows(file, options);
}

// True where the file is a picture.
bool ExpectSame(const Bytes& file, std::optional<int> edge, const std::string& what) {
  const JpegRows ours = Decode(file, edge, HuffmanChoice::kOurs);
  const JpegRows theirs = Decode(file, edge, HuffmanChoice::kLibrary);
  EXPECT_EQ(ours.error, theirs.error) << what;
  EXPECT_TRUE(ours.pixels == theirs.pixels) << what;
  return theirs.error.empty();
}

void ExpectSamePicture(const Recipe& recipe) {
  const Bytes file = Encode(recipe);
  // The whole, and at a half to an eighth.
  for (const std::optional<int> edge : {std::optional<int>(), {22}, {11}, {5}}) {
    const std::string what =
        Describe(recipe) + (edge ? ", for " + std::to_string(*edge) : std::string());
    EXPECT_TRUE(ExpectSame(file, edge, what)) << what;
    if (testing::Test::HasFailure()) return;
  }
}

// Begin and end of the coded data: behind the header of the scan, and before the end marker.
std::pair<std::size_t, std::size_t> CodedData(const Bytes& file) {
  for (std::size_t i = 2; i + 3 < file.size();) {
    const std::size_t length = std::size_t{file[i + 2]} << 8 | file[i + 3];
    if (file[i + 1] == 0xDA) return {i + 2 + length, file.size() - 2};
    i += 2 + length;
  }
  ADD_FAILURE() << "no scan";
  return {};
}

constexpr std::array<std::pair<int, int>, 6> kSamplings = {
    {{1, 1}, {2, 1}, {2, 2}, {1, 2}, {4, 1}, {4, 2}}};

TEST(JpegEntropy, FilesOfTheUsualKind_AreReplaced) {
#if !__has_include(<jpegint.h>)
  GTEST_SKIP() << "libjpeg's inside is not known here, it decodes by itself";
#endif
  const auto replaced = [](const Recipe& recipe) {
    const Bytes file = Encode(recipe);
    jpeg_decompress_struct info = {};
    jpeg_error_mgr errors = {};
    info.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, file.data(), file.size());
    jpeg_read_header(&info, TRUE);
    jpeg_start_decompress(&info);
    const bool is = JpegEntropy::Replace(info) != nullptr;
    jpeg_destroy_decompress(&info);
    return is;
  };
  EXPECT_TRUE(replaced({}));
  EXPECT_TRUE(replaced({.components = 1, .horizontal = 1, .vertical = 1, .optimised = true}));
  EXPECT_TRUE(replaced({.restart_interval = 3}));
  EXPECT_FALSE(replaced({.progressive = true}));
#ifdef C_ARITH_CODING_SUPPORTED
  EXPECT_FALSE(replaced({.arithmetic = true}));
#endif
}

TEST(JpegEntropy, EveryQuality_GivesTheSameRows) {
  for (int quality = 1; quality <= 100; ++quality) {
    for (const bool optimised : {false, true}) {
      ExpectSamePicture({.quality = quality, .optimised = optimised});
    }
  }
}

TEST(JpegEntropy, EveryLayout_GivesTheSameRows) {
  for (const int components : {1, 3, 4}) {
    for (const auto& [horizontal, vertical] : kSamplings) {
      // Ten blocks are all that an MCU may have.
      if (horizontal * vertical + components - 1 > D_MAX_BLOCKS_IN_MCU) continue;
      for (const unsigned restart_interval : {0U, 1U, 7U}) {
        for (const int noise : {0, 40, 255}) {
          ExpectSamePicture({.components = components,
                             .horizontal = horizontal,
                             .vertical = vertical,
                             .quality = 93,
                             .optimised = noise == 40,
                             .restart_interval = restart_interval,
                             .noise = noise});
        }
      }
    }
  }
}

TEST(JpegEntropy, EverySize_GivesTheSameRows) {
  for (int width = 1; width <= 34; width += 3) {
    for (int height = 1; height <= 34; ++height) {
      ExpectSamePicture({.width = width, .height = height, .quality = 75});
    }
  }
}

// More coded data than are taken out of their stuffing at a time, with many a 0xFF among them.
TEST(JpegEntropy, LargePictures_GiveTheSameRows) {
  for (const int quality : {20, 100}) {
    for (const unsigned restart_interval : {0U, 100U}) {
      ExpectSamePicture({.width = 641,
                         .height = 479,
                         .quality = quality,
                         .restart_interval = restart_interval,
                         .noise = 200});
    }
  }
}

// Before a marker they are padding; before a zero they are no JPEG, and libjpeg goes on.
TEST(JpegEntropy, RepeatedFillBytes_GiveTheSameRows) {
  for (const unsigned restart_interval : {0U, 2U}) {
    const Bytes file = Encode({.quality = 100, .restart_interval = restart_interval});
    const auto [begin, end] = CodedData(file);
    for (const bool stuffed_too : {false, true}) {
      Bytes padded(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(begin));
      std::size_t count = 0;
      for (std::size_t i = begin; i < file.size(); ++i) {
        if (file[i] == 0xFF && (stuffed_too || file[i + 1] != 0)) {
          padded.insert(padded.end(), 1 + ++count % 4, 0xFF);
        }
        padded.push_back(file[i]);
      }
      EXPECT_GT(padded.size(), file.size());
      EXPECT_TRUE(ExpectSame(padded, std::nullopt, "padded"));
    }
  }
}

// Some end inside the picture, some are the picture without what nobody needs. An end marker keeps
// them from being refused by their outline.
TEST(JpegEntropy, FilesCutAnywhere_EndTheSame) {
  for (const unsigned restart_interval : {0U, 2U}) {
    const Bytes file =
        Encode({.width = 40, .height = 24, .quality = 80, .restart_interval = restart_interval});
    const auto [begin, end] = CodedData(file);
    for (std::size_t size = 2; size < file.size(); ++size) {
      Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
      ExpectSame(cut, std::nullopt, "cut to " + std::to_string(size));
      cut.insert(cut.end(), {0xFF, 0xD9});
      const bool whole = ExpectSame(cut, std::nullopt, "ended at " + std::to_string(size));
      EXPECT_EQ(whole, size >= end) << size;
      if (HasFailure()) return;
    }
  }
}

// The same picture or the same refusal, whichever bits of tables and coded data are wrong.
void ExpectSameOfBroken(const Recipe& recipe, unsigned seed, int rounds, bool in_headers) {
  const Bytes file = Encode(recipe);
  const auto [begin, end] = CodedData(file);
  std::mt19937 random(seed);
  int pictures = 0;
  for (int round = 0; round < rounds; ++round) {
    Bytes broken = file;
    const std::size_t from = in_headers ? 2 : begin;
    const std::size_t to = in_headers ? begin : end;
    const unsigned flips = 1 + random() % 4;
    for (unsigned i = 0; i < flips; ++i) {
      broken[from + random() % (to - from)] ^= static_cast<std::uint8_t>(1U << random() % 8);
    }
    const std::string what =
        Describe(recipe) + ", seed " + std::to_string(seed) + ", round " + std::to_string(round);
    const std::optional<int> edge = round % 3 == 0 ? std::optional<int>(5) : std::nullopt;
    pictures += ExpectSame(broken, edge, what) ? 1 : 0;
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(pictures, 0);
  EXPECT_LT(pictures, rounds);
}

TEST(JpegEntropy, BitsFlippedInCodedData_EndTheSame) {
  ExpectSameOfBroken({.quality = 90}, 1, 1'500, false);
  ExpectSameOfBroken({.quality = 98, .optimised = true}, 2, 1'500, false);
  ExpectSameOfBroken({.quality = 90, .restart_interval = 2}, 3, 1'500, false);
  ExpectSameOfBroken({.components = 1, .horizontal = 1, .vertical = 1}, 4, 1'500, false);
  ExpectSameOfBroken({.width = 200, .height = 150, .quality = 95}, 5, 300, false);
}

TEST(JpegEntropy, BitsFlippedInHeaders_EndTheSame) {
  ExpectSameOfBroken({}, 6, 3'000, true);
  ExpectSameOfBroken({.optimised = true, .restart_interval = 3}, 7, 3'000, true);
}

}  // namespace
}  // namespace penstock::preprocess
