#include "preprocess/image/tensor_format.h"

#include <cstring>

#include "tensor/half.h"

namespace penstock::preprocess {

std::size_t TensorFormat::BytesOf(Size canvas) const {
  return static_cast<std::size_t>(canvas.width) * static_cast<std::size_t>(canvas.height) *
         static_cast<std::size_t>(channels) * DataTypeSize(dtype);
}

Shape TensorFormat::ShapeOf(Size canvas) const {
  return layout == Layout::kChw ? Shape{channels, canvas.height, canvas.width}
                                : Shape{canvas.height, canvas.width, channels};
}

std::vector<std::uint16_t> HalvesOf(const TensorFormat& format) {
  std::vector<std::uint16_t> halves;
  if (format.dtype != DataType::kFp16) return halves;
  for (int channel = 0; channel < format.channels; ++channel) {
    const ChannelLine line = format.lines[static_cast<std::size_t>(channel)];
    for (int value = 0; value < 256; ++value) {
      const float scaled = static_cast<float>(value) * line.scale;
      halves.push_back(ToHalf(scaled + line.bias));
    }
  }
  return halves;
}

std::size_t TensorWriter::IndexOf(int x, int y, int channel) const {
  const auto width = static_cast<std::size_t>(canvas_.width);
  const auto row = static_cast<std::size_t>(y);
  const auto column = static_cast<std::size_t>(x);
  const auto c = static_cast<std::size_t>(channel);
  if (format_.layout == Layout::kHwc) {
    return (row * width + column) * static_cast<std::size_t>(format_.channels) + c;
  }
  return (c * static_cast<std::size_t>(canvas_.height) + row) * width + column;
}

void TensorWriter::Fill() {
  std::vector<std::uint8_t> row(static_cast<std::size_t>(canvas_.width) * kPixelBytes);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto source = static_cast<int>(i % kPixelBytes);
    if (source >= format_.channels) continue;
    row[i] = format_.fill[static_cast<std::size_t>(SourceChannel(source))];
  }
  for (int y = 0; y < canvas_.height; ++y) WriteRow(0, y, row.data(), canvas_.width);
}

void TensorWriter::WriteRow(int x, int y, const std::uint8_t* pixels, int count) {
  const auto step = static_cast<std::size_t>(stride());
  for (int channel = 0; channel < format_.channels; ++channel) {
    const std::size_t index = IndexOf(x, y, channel);
    const int source = SourceChannel(channel);
    switch (format_.dtype) {
      case DataType::kFp32:
        kernels_.to_float(pixels, count, source, format_.lines[static_cast<std::size_t>(channel)],
                          reinterpret_cast<float*>(output_) + index, stride());
        break;
      case DataType::kFp16: {
        const std::uint16_t* const halves = halves_.data() + std::ptrdiff_t{channel} * 256;
        auto* const to = reinterpret_cast<std::uint16_t*>(output_) + index;
        for (int i = 0; i < count; ++i) {
          to[static_cast<std::size_t>(i) * step] = halves[pixels[i * kPixelBytes + source]];
        }
        break;
      }
      default: {
        auto* const to = reinterpret_cast<std::uint8_t*>(output_) + index;
        for (int i = 0; i < count; ++i) {
          to[static_cast<std::size_t>(i) * step] = pixels[i * kPixelBytes + source];
        }
      }
    }
  }
}

}  // namespace penstock::preprocess
