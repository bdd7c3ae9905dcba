// PNG through libpng. The only file that knows its setjmp: code under Try holds nothing that a jump
// would skip the destructor of.
#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "preprocess/image/decode.h"

namespace penstock::preprocess {
namespace {

constexpr std::array<std::uint8_t, 8> kSignature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

struct Outline {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  unsigned depth = 0;
  unsigned color_type = 0;
  bool complete = false;
  std::size_t data_bytes = 0;  // of compressed pixels
  int orientation = 1;
};

// Reads the chunks' headers only.
class PngOutline final {
 public:
  explicit PngOutline(std::span<const std::byte> file)
      : data_(reinterpret_cast<const std::uint8_t*>(file.data())), size_(file.size()) {}

  // Nothing: there is no header.
  std::optional<Outline> Read() const {
    constexpr std::size_t kFrame = 12;  // length, type, checksum
    constexpr std::size_t kHeaderBytes = 13;
    Outline outline;
    std::size_t at = kSignature.size();
    bool first = true;
    while (size_ - at >= kFrame) {
      const std::uint32_t length = Number(at);
      if (length > size_ - at - kFrame) break;
      const std::uint8_t* const body = data_ + at + 8;
      const auto is = [&](const char* type) { return std::memcmp(data_ + at + 4, type, 4) == 0; };
      if (first != is("IHDR") || (first && length != kHeaderBytes)) break;
      if (first) {
        outline.width = Number(at + 8);
        outline.height = Number(at + 12);
        outline.depth = body[8];
        outline.color_type = body[9];
      } else if (is("IDAT")) {
        outline.data_bytes += length;
      } else if (is("eXIf")) {
        outline.orientation = ExifOrientation(body, length);
      } else if (is("IEND")) {
        outline.complete = true;
        break;
      }
      first = false;
      at += kFrame + length;
    }
    if (first) return std::nullopt;
    return outline;
  }

 private:
  std::uint32_t Number(std::size_t at) const {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < 4; ++i) number = number << 8 | data_[at + i];
    return number;
  }

  const std::uint8_t* data_;
  std::size_t size_;
};

PixelKind KindOf(int channels) {
  switch (channels) {
    case 1:
      return PixelKind::kGrey;
    case 2:
      return PixelKind::kGreyAlpha;
    case 3:
      return PixelKind::kRgb;
    default:
      return PixelKind::kRgba;
  }
}

class PngDecoder final {
 public:
  PngDecoder(std::span<const std::byte> file, const DecodeOptions& options, Picture& picture)
      : file_(file), options_(options), picture_(picture) {}
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  Result<RawPicture> Decode() {
    const std::optional<Outline> outline = PngOutline(file_).Read();
    if (!outline) return Broken("it has no header");
    RETURN_IF_ERROR(Check(*outline));
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &OnError, &OnWarning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) return ResourceExhausted("PNG: no memory");
    if (!Try([&] { ReadHeader(); })) return Broken(text_.data());
    const Size size{.width = static_cast<int>(outline->width),
                    .height = static_cast<int>(outline->height)};
    const int channels = png_get_channels(png_, info_);
    if (!picture_.Reset(size, channels)) return ResourceExhausted("PNG: no memory");
    if (png_get_rowbytes(png_, info_) != picture_.row_bytes()) {
      return Broken("its rows have another length than its header says");
    }
    std::vector<png_bytep> rows(outline->height);
    for (int y = 0; y < size.height; ++y) rows[static_cast<std::size_t>(y)] = picture_.row(y);
    if (!Try([&] { png_read_image(png_, rows.data()); })) return Broken(text_.data());
    return RawPicture{.kind = KindOf(channels),
                      .orientation = options_.orient ? outline->orientation : 1,
                      .full_size = size,
                      .size = size};
  }

 private:
  template <typename Function>
  bool Try(const Function& function) {
    if (setjmp(jump_) != 0) return false;  // NOLINT
    function();
    return true;
  }

  static Status Broken(const std::string& why) { return InvalidArgument("broken PNG: " + why); }

  Status Check(const Outline& outline) const {
    if (outline.width > PNG_UINT_31_MAX || outline.height > PNG_UINT_31_MAX) {
      return Broken("its header claims an edge of more than 2^31 - 1 pixels");
    }
    const std::int64_t width = outline.width;
    const std::int64_t height = outline.height;
    // Alpha and a palette's colours may be added while decoding.
    const std::int64_t row_pointers = height * static_cast<std::int64_t>(sizeof(png_bytep));
    RETURN_IF_ERROR(
        CheckClaim("PNG", width, height,
                   outline.color_type == PNG_COLOR_TYPE_GRAY && !options_.alpha.composite ? 1 : 4,
                   row_pointers, options_.orient && outline.orientation != 1, options_.limits));
    if (!outline.complete) return Broken("the file ends inside the picture");
    // Deflate makes at most 1032 bytes of one.
    constexpr std::int64_t kInflationMax = 1032;
    const std::int64_t bits = width * outline.depth *
                              (outline.color_type == PNG_COLOR_TYPE_RGB         ? 3
                               : outline.color_type == PNG_COLOR_TYPE_RGB_ALPHA ? 4
                                                                                : 1);
    if (height * ((bits + 7) / 8) / kInflationMax > static_cast<std::int64_t>(outline.data_bytes)) {
      return Broken(std::to_string(outline.data_bytes) + " bytes cannot hold the " +
                    std::to_string(width) + "x" + std::to_string(height) +
                    " pixels that its header claims");
    }
    return {};
  }

  void ReadHeader() {
    png_set_read_fn(png_, this, &OnRead);
    // Already held against the limits; libpng's own default would refuse long edges.
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    IgnoreChunks();
    png_read_info(png_, info_);
    png_set_strip_16(png_);  // the high byte, as Pillow takes it
    const int color_type = png_get_color_type(png_, info_);
    if (color_type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (color_type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(png_, info_) < 8) {
      png_set_expand_gray_1_2_4_to_8(png_);
    }
    if (options_.alpha.composite) {
      if (png_get_valid(png_, info_, PNG_INFO_tRNS) != 0) png_set_tRNS_to_alpha(png_);
      png_set_gray_to_rgb(png_);  // the background may have a colour
    }
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  // Text and profiles are compressed and could be bombs of their own: nothing of them is wanted.
  void IgnoreChunks() {
    static constexpr png_byte kIgnored[] =
        "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0"
        "sBIT\0sCAL\0sPLT\0sRGB\0sTER\0tEXt\0tIME\0zTXt\0tRNS";
    const int count = static_cast<int>(sizeof kIgnored / 5);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    // The last one, transparency of palettes and colours, counts where alpha does.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kIgnored,
                                options_.alpha.composite ? count - 1 : count);
  }

  static void OnRead(png_structp png, png_bytep to, std::size_t size) {
    auto* const self = static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (size > self->file_.size() - self->at_) png_error(png, "the file ends inside the picture");
    std::memcpy(to, self->file_.data() + self->at_, size);
    self->at_ += size;
  }

  [[noreturn]] static void OnError(png_structp png, png_const_charp message) {
    auto* const self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::strncpy(self->text_.data(), message, self->text_.size() - 1);
    std::longjmp(self->jump_, 1);  // NOLINT
  }
  static void OnWarning(png_structp, png_const_charp) {}

  const std::span<const std::byte> file_;
  const DecodeOptions& options_;
  Picture& picture_;
  std::size_t at_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf jump_;
  std::array<char, 128> text_{};
};

}  // namespace

bool IsPng(std::span<const std::byte> file) {
  return file.size() >= kSignature.size() &&
         std::memcmp(file.data(), kSignature.data(), kSignature.size()) == 0;
}

Result<RawPicture> DecodePng(std::span<const std::byte> file, const DecodeOptions& options,
                             Picture& picture) {
  return PngDecoder(file, options, picture).Decode();
}

}  // namespace penstock::preprocess
