#include "preprocess/image/resizer.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"

namespace penstock::preprocess {
namespace {

std::size_t RoundUp(std::size_t size) {
  return (size + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}

SourcePixels PixelsOf(int channels) {
  return channels == 1 ? SourcePixels::kGrey : SourcePixels::kRgb;
}

HorizontalTaps Horizontal(const ResampleTaps& taps) {
  return {.start = taps.start.data(),
          .weights = taps.weights.data(),
          .packed = taps.packed.data(),
          .groups = taps.groups,
          .output_size = static_cast<int>(taps.start.size())};
}

VerticalTaps Vertical(const ResampleTaps& taps, int i, const std::uint8_t* const* rows) {
  return {.rows = rows,
          .weights = taps.weights.data() + taps.first_of(i),
          .packed = taps.packed.data() + taps.first_of(i),
          .groups = taps.groups};
}

// The order of Pillow 13 and later, which decides how intermediate values are rounded.
bool VerticalGoesFirst(Size source, Size resized) {
  const int fewer_rows = source.height - resized.height;
  return fewer_rows > 0 && fewer_rows > 2 * (source.width - resized.width);
}

}  // namespace

void Resizer::Run(const PictureView& picture, const Framing& framing, Filter filter,
                  const TensorFormat& format, const std::vector<std::uint16_t>& halves,
                  std::byte* output) {
  CHECK(picture.channels == 1 || (picture.channels == 3 && format.channels == 3));
  Rows source;
  FindRows(picture, framing.source, source);
  TensorWriter writer(kernels_, format, halves, framing.canvas, output);
  const Rect& window = framing.window;
  if (framing.canvas != Size{window.width, window.height}) writer.Fill();
  if (filter == Filter::kNearest || source.size == framing.resized) {
    Nearest(source, framing, writer);
    return;
  }
  const ResampleTaps& across = TapsAcross(source.size, framing, filter);
  const ResampleTaps& down = TapsDown(source.size, framing, filter);
  if (VerticalGoesFirst(source.size, framing.resized)) {
    VerticalFirst(source, framing, across, down, writer);
  } else {
    CHECK(HorizontalFirst(source, source.channels, framing, across, down, writer).ok());
  }
}

bool Resizer::TakesRows(Size picture, const Framing& framing, Filter filter) {
  return filter != Filter::kNearest && picture != framing.resized &&
         framing.source == Rect{0, 0, picture.width, picture.height} &&
         !VerticalGoesFirst(picture, framing.resized);
}

Status Resizer::RunRows(RowSource& source, Size picture, int channels, const Framing& framing,
                        Filter filter, const TensorFormat& format,
                        const std::vector<std::uint16_t>& halves, std::byte* output) {
  CHECK(TakesRows(picture, framing, filter));
  TensorWriter writer(kernels_, format, halves, framing.canvas, output);
  if (framing.canvas != Size{framing.window.width, framing.window.height}) writer.Fill();
  return HorizontalFirst(source, channels, framing, TapsAcross(picture, framing, filter),
                         TapsDown(picture, framing, filter), writer);
}

const ResampleTaps& Resizer::TapsAcross(Size source, const Framing& framing, Filter filter) {
  return TapsOf({.filter = filter,
                 .source_size = source.width,
                 .resized_size = framing.resized.width,
                 .first = framing.window.x,
                 .count = framing.window.width});
}

const ResampleTaps& Resizer::TapsDown(Size source, const Framing& framing, Filter filter) {
  return TapsOf({.filter = filter,
                 .source_size = source.height,
                 .resized_size = framing.resized.height,
                 .first = framing.window.y,
                 .count = framing.window.height});
}

Status Resizer::Rows::Take(int from, std::array<const std::uint8_t*, kRowGroup>& rows) {
  for (int i = 0; i < kRowGroup; ++i) {
    rows[static_cast<std::size_t>(i)] = At(std::min(from + i, size.height - 1));
  }
  return {};
}

void Resizer::FindRows(const PictureView& picture, const Rect& rect, Rows& rows) {
  const auto left = static_cast<std::size_t>(rect.x) * static_cast<std::size_t>(picture.channels);
  rows.first = picture.pixels + static_cast<std::size_t>(rect.y) * picture.row_bytes + left;
  rows.copied_from = rect.height;
  rows.row_bytes = picture.row_bytes;
  rows.size = {.width = rect.width, .height = rect.height};
  rows.channels = picture.channels;
  if (picture.padded) return;
  // Rows behind which fewer bytes than that follow.
  const int unsafe = 1 + static_cast<int>(kReadAhead / picture.row_bytes);
  const int from = std::max(0, picture.size.height - unsafe);
  const auto count = static_cast<std::size_t>(picture.size.height - from) * picture.row_bytes;
  copied_rows_.assign(count + kReadAhead, 0);
  std::memcpy(copied_rows_.data(),
              picture.pixels + static_cast<std::size_t>(from) * picture.row_bytes, count);
  rows.copied = copied_rows_.data() + left;
  rows.copied_from = from - rect.y;
}

const ResampleTaps& Resizer::TapsOf(const Axis& axis) {
  for (auto cached = taps_.begin(); cached != taps_.end(); ++cached) {
    if (cached->axis == axis) {
      taps_.splice(taps_.begin(), taps_, cached);
      return taps_.front().taps;
    }
  }
  if (taps_.size() == kCachedTapsMax) taps_.pop_back();
  taps_.push_front(
      {.axis = axis,
       .taps = MakeTaps(axis.filter, axis.source_size, axis.resized_size, axis.first, axis.count)});
  PackTaps(kernels_, taps_.front().taps);
  return taps_.front().taps;
}

void Resizer::Nearest(const Rows& source, const Framing& framing, TensorWriter& writer) {
  const Rect& window = framing.window;
  const auto across =
      NearestIndices(source.size.width, framing.resized.width, window.x, window.width);
  const auto down =
      NearestIndices(source.size.height, framing.resized.height, window.y, window.height);
  rows_.resize(static_cast<std::size_t>(window.width) * kPixelBytes);
  for (int y = 0; y < window.height; ++y) {
    const std::uint8_t* const row = source.At(down[static_cast<std::size_t>(y)]);
    std::uint8_t* to = rows_.data();
    for (const std::int32_t x : across) {
      const std::uint8_t* const pixel = row + static_cast<std::ptrdiff_t>(x) * source.channels;
      for (int c = 0; c < 3; ++c) to[c] = pixel[source.channels == 1 ? 0 : c];
      to += kPixelBytes;
    }
    writer.WriteRow(framing.canvas_x, framing.canvas_y + y, rows_.data(), window.width);
  }
}

Status Resizer::HorizontalFirst(RowSource& source, int channels, const Framing& framing,
                                const ResampleTaps& across, const ResampleTaps& down,
                                TensorWriter& writer) {
  const std::size_t row_bytes = RoundUp(across.start.size() * kPixelBytes);
  const int taps = down.groups * kTapGroup;
  // The rows that one output row needs, and what a group of rows may overshoot them by.
  const int ring = taps + kRowGroup;
  rows_.resize(row_bytes * static_cast<std::size_t>(ring + 1));
  row_pointers_.resize(static_cast<std::size_t>(taps));
  const auto slot = [&](int row) {
    return rows_.data() + row_bytes * static_cast<std::size_t>(row % ring);
  };
  std::uint8_t* const finished = rows_.data() + row_bytes * static_cast<std::size_t>(ring);
  const int last = down.source_size - 1;
  int next = 0;  // the first row that is not in the ring
  for (int y = 0; y < framing.window.height; ++y) {
    const int start = down.start[static_cast<std::size_t>(y)];
    const int end = std::min(start + taps, down.source_size);
    for (next = std::max(next, start); next < end; next += kRowGroup) {
      std::array<const std::uint8_t*, kRowGroup> from{};
      RETURN_IF_ERROR(source.Take(next, from));
      std::array<std::uint8_t*, kRowGroup> to{};
      for (int i = 0; i < kRowGroup; ++i) to[static_cast<std::size_t>(i)] = slot(next + i);
      kernels_.horizontal(from.data(), to.data(), Horizontal(across), PixelsOf(channels));
    }
    for (int k = 0; k < taps; ++k) {
      row_pointers_[static_cast<std::size_t>(k)] = slot(std::min(start + k, last));
    }
    kernels_.vertical(Vertical(down, y, row_pointers_.data()), finished,
                      framing.window.width * kPixelBytes);
    writer.WriteRow(framing.canvas_x, framing.canvas_y + y, finished, framing.window.width);
  }
  return {};
}

void Resizer::VerticalFirst(const Rows& source, const Framing& framing, const ResampleTaps& across,
                            const ResampleTaps& down, TensorWriter& writer) {
  // Only the columns that the window is made of.
  const int begin = across.source_begin() * source.channels;
  const int size = across.source_end() * source.channels - begin;
  const std::size_t strip_bytes = RoundUp(static_cast<std::size_t>(size)) + kReadAhead;
  const std::size_t row_bytes = RoundUp(across.start.size() * kPixelBytes);
  const int taps = down.groups * kTapGroup;
  rows_.resize((strip_bytes + row_bytes) * kRowGroup);
  row_pointers_.resize(static_cast<std::size_t>(taps));
  // The kernel's offsets count from the first column.
  ResampleTaps shifted;
  HorizontalTaps horizontal = Horizontal(across);
  if (begin != 0) {
    shifted.start = across.start;
    for (std::int32_t& start : shifted.start) start -= across.source_begin();
    horizontal.start = shifted.start.data();
  }
  const int last = source.size.height - 1;
  for (int y = 0; y < framing.window.height; y += kRowGroup) {
    std::array<const std::uint8_t*, kRowGroup> strips{};
    std::array<std::uint8_t*, kRowGroup> finished{};
    for (std::size_t i = 0; i < kRowGroup; ++i) {
      std::uint8_t* const strip = rows_.data() + strip_bytes * i;
      const int row = std::min(y + static_cast<int>(i), framing.window.height - 1);
      const int start = down.start[static_cast<std::size_t>(row)];
      for (int k = 0; k < taps; ++k) {
        row_pointers_[static_cast<std::size_t>(k)] = source.At(std::min(start + k, last)) + begin;
      }
      kernels_.vertical(Vertical(down, row, row_pointers_.data()), strip, size);
      strips[i] = strip;
      finished[i] = rows_.data() + strip_bytes * kRowGroup + row_bytes * i;
    }
    kernels_.horizontal(strips.data(), finished.data(), horizontal, PixelsOf(source.channels));
    for (int i = 0; i < kRowGroup && y + i < framing.window.height; ++i) {
      writer.WriteRow(framing.canvas_x, framing.canvas_y + y + i,
                      finished[static_cast<std::size_t>(i)], framing.window.width);
    }
  }
}

}  // namespace penstock::preprocess
