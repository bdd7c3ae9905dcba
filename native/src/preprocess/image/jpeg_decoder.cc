// JPEG through libjpeg-turbo. The only file that knows its setjmp: code under Try holds nothing
// that a jump would skip the destructor of.
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

// It names FILE and size_t and includes nothing for them, so it comes after what does.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "preprocess/image/decode.h"
#include "preprocess/image/jpeg_entropy.h"

namespace penstock::preprocess {
namespace {

// What can be learned from a file's segments, without decoding.
struct Outline {
  bool complete = false;       // an end marker follows the first scan
  std::int64_t scans = 0;      // at most so many
  std::size_t data_bytes = 0;  // of entropy-coded data, at most
  bool odd_stuffing = false;   // two 0xFF and a zero, where one 0xFF is right
  int orientation = 1;
};

class JpegOutline final {
 public:
  explicit JpegOutline(std::span<const std::byte> file)
      : data_(reinterpret_cast<const std::uint8_t*>(file.data())), size_(file.size()) {}

  // Nothing: the segments end before the first scan.
  std::optional<Outline> Read() {
    Outline outline;
    std::size_t at = 2;
    while (at + 4 <= size_) {
      if (data_[at] != 0xFF) return std::nullopt;
      const std::uint8_t marker = data_[at + 1];
      if (marker == 0xFF) {  // padding
        ++at;
        continue;
      }
      if (HasNoLength(marker)) {
        at += 2;
        continue;
      }
      const std::size_t length = std::size_t{data_[at + 2]} << 8 | data_[at + 3];
      if (length < 2 || at + 2 + length > size_) return std::nullopt;
      if (marker == kApp1 && outline.orientation == 1) {
        outline.orientation = Orientation(at + 4, length - 2);
      }
      if (marker == kStartOfScan) {
        ReadScans(at, at + 2 + length, outline);
        return outline;
      }
      at += 2 + length;
    }
    return std::nullopt;
  }

 private:
  static constexpr std::uint8_t kApp1 = 0xE1;
  static constexpr std::uint8_t kStartOfScan = 0xDA;
  static constexpr std::uint8_t kEndOfImage = 0xD9;

  // 0x00 is no marker: libjpeg passes over it, and over nothing behind it. Scans would else hide in
  // what passed for a segment here.
  static bool HasNoLength(std::uint8_t marker) {
    return marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8);
  }

  int Orientation(std::size_t at, std::size_t length) const {
    constexpr char kExif[] = {'E', 'x', 'i', 'f', 0, 0};
    if (length < sizeof kExif || std::memcmp(data_ + at, kExif, sizeof kExif) != 0) return 1;
    return ExifOrientation(data_ + at + sizeof kExif, length - sizeof kExif);
  }

  // From the first scan's header and the data behind it. Coded data never hold 0xFF followed by a
  // marker's byte, so that every scan that a decoder can meet is counted here, and that none of
  // them can be read past the end marker.
  void ReadScans(std::size_t header, std::size_t data, Outline& outline) const {
    outline.data_bytes = size_ - header;
    outline.scans = 1;
    std::size_t at = data;
    while (at + 1 < size_) {
      const void* const found = std::memchr(data_ + at, 0xFF, size_ - at - 1);
      if (found == nullptr) break;
      at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - data_) + 1;
      if (data_[at] == kStartOfScan) ++outline.scans;
      if (data_[at] == kEndOfImage) outline.complete = true;
      if (data_[at] == 0xFF && at + 1 < size_ && data_[at + 1] == 0) outline.odd_stuffing = true;
    }
  }

  const std::uint8_t* data_;
  std::size_t size_;
};

struct ErrorManager {
  jpeg_error_mgr base;  // first: libjpeg gives its address back
  std::jmp_buf jump;
  std::array<char, JMSG_LENGTH_MAX> text;
};

[[noreturn]] void OnError(j_common_ptr info) {
  auto* const manager = reinterpret_cast<ErrorManager*>(info->err);
  (*info->err->format_message)(info, manager->text.data());
  std::longjmp(manager->jump, 1);  // NOLINT
}

void OnMessage(j_common_ptr) {}

// A negative level is damage that libjpeg papers over. Pillow shows such pictures, so we do too,
// but for one kind: coded data that end before the picture does, the rest of which would be
// invented.
void OnEmit(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_HIT_MARKER) OnError(info);
}

boolean OnEndOfInput(j_decompress_ptr info) {
  auto* const manager = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(manager->text.data(), manager->text.size(), "the file ends inside the picture");
  std::longjmp(manager->jump, 1);  // NOLINT
}

class JpegDecoder final : public JpegFile {
 public:
  JpegDecoder(std::span<const std::byte> file, const DecodeOptions& options)
      : file_(file), options_(options) {
    info_.err = jpeg_std_error(&error_.base);
    error_.base.error_exit = &OnError;
    error_.base.output_message = &OnMessage;
    error_.base.emit_message = &OnEmit;
    error_.text[0] = '\0';
  }
  ~JpegDecoder() override { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  Status ReadHeaders() {
    const std::optional<Outline> outline = JpegOutline(file_).Read();
    if (!outline) return Broken("no picture data follow its headers");
    if (!outline->complete) return Broken("the file ends inside the picture");
    if (!Try([&] { ReadHeader(); })) return Broken(error_.text.data());
    if (options_.orient) raw_.orientation = outline->orientation;
    own_huffman_ = HasOwnHuffman(*outline);
    RETURN_IF_ERROR(CheckHeader(*outline));
    ChooseScale();
    if (!Try([&] { jpeg_calc_output_dimensions(&info_); })) return Broken(error_.text.data());
    raw_.size = {.width = static_cast<int>(info_.output_width),
                 .height = static_cast<int>(info_.output_height)};
    return {};
  }

  const RawPicture& raw() const override { return raw_; }

  Status ReadRows(std::uint8_t* const* rows, int count) override {
    if (!Try([&] { ReadPixels(rows, static_cast<JDIMENSION>(count)); })) {
      return Broken(error_.text.data());
    }
    return {};
  }

 private:
  // False where libjpeg gave up; error_.text says why.
  template <typename Function>
  bool Try(const Function& function) {
    if (setjmp(error_.jump) != 0) return false;  // NOLINT
    function();
    return true;
  }

  static Status Broken(const std::string& why) { return InvalidArgument("broken JPEG: " + why); }

  void ReadHeader() {
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(file_.data()),
                 static_cast<unsigned long>(file_.size()));  // NOLINT(google-runtime-int)
    info_.src->fill_input_buffer = &OnEndOfInput;
    info_.mem->max_memory_to_use = static_cast<long>(options_.limits.memory_bytes_max);  // NOLINT
    jpeg_read_header(&info_, TRUE);
  }

  Status CheckHeader(const Outline& outline) {
    const std::int64_t width = info_.image_width;
    const std::int64_t height = info_.image_height;
    switch (info_.jpeg_color_space) {
      case JCS_GRAYSCALE:
        raw_.kind = PixelKind::kGrey;
        info_.out_color_space = JCS_GRAYSCALE;
        break;
      case JCS_CMYK:
      case JCS_YCCK:
        raw_.kind = PixelKind::kInvertedCmyk;
        info_.out_color_space = JCS_CMYK;
        break;
      case JCS_UNKNOWN:
        return Unimplemented("JPEG with " + std::to_string(info_.num_components) +
                             " components of unknown meaning; 1, 3 and 4 are decoded");
      default:
        info_.out_color_space = JCS_RGB;
    }
    raw_.full_size = {.width = static_cast<int>(width), .height = static_cast<int>(height)};
    if (outline.scans > options_.limits.scans_max) {
      return InvalidArgument("JPEG of " + std::to_string(outline.scans) + " scans, the limit is " +
                             std::to_string(options_.limits.scans_max) + " (max_scans)");
    }
    // Several scans are decoded into coefficients of the whole picture first.
    std::int64_t coefficients = 0;
    if (jpeg_has_multiple_scans(&info_) != 0) {
      for (int i = 0; i < info_.num_components; ++i) {
        const jpeg_component_info& component = info_.comp_info[i];
        coefficients += std::int64_t{component.width_in_blocks} * component.height_in_blocks *
                        static_cast<std::int64_t>(sizeof(JBLOCK));
      }
    }
    RETURN_IF_ERROR(CheckClaim("JPEG", width, height, ChannelsOf(raw_.kind), coefficients,
                               raw_.orientation != 1, options_.limits));
    // A block of 64 pixels takes an eighth of a byte at the very least; arithmetic coding can do
    // with less.
    constexpr std::int64_t kPixelsPerByteMax = 512;
    if (info_.arith_code == 0 &&
        width * height / kPixelsPerByteMax > static_cast<std::int64_t>(outline.data_bytes)) {
      return Broken(std::to_string(outline.data_bytes) + " bytes cannot hold the " +
                    std::to_string(width) + "x" + std::to_string(height) +
                    " pixels that its header claims");
    }
    return {};
  }

  bool HasOwnHuffman(const Outline& outline) const {
    // What libjpeg makes of such data depends on how many bytes it had read ahead.
    if (outline.odd_stuffing) return false;
    // Making our larger tables takes about 3 us, which is what they save by then.
    constexpr std::size_t kWorthBytes = 4096;
    switch (options_.huffman) {
      case HuffmanChoice::kOurs:
        return true;
      case HuffmanChoice::kLibrary:
        return false;
      case HuffmanChoice::kQuicker:
        break;
    }
    return outline.data_bytes >= kWorthBytes;
  }

  void ChooseScale() {
    if (options_.scaled_for == nullptr) return;
    Size seen = raw_.full_size;
    const bool swapped = SwapsEdges(raw_.orientation);
    if (swapped) std::swap(seen.width, seen.height);
    const Result<Framing> framing = Frame(*options_.scaled_for, seen);
    if (!framing.ok()) return;  // said when the picture is framed
    Size wanted = framing.value().resized;
    if (swapped) std::swap(wanted.width, wanted.height);
    for (unsigned denominator = 8; denominator > 1; denominator /= 2) {
      const auto scaled = [&](int edge) {
        return (edge + static_cast<int>(denominator) - 1) / static_cast<int>(denominator);
      };
      if (scaled(raw_.full_size.width) >= wanted.width &&
          scaled(raw_.full_size.height) >= wanted.height) {
        info_.scale_num = 1;
        info_.scale_denom = denominator;
        return;
      }
    }
  }

  void ReadPixels(std::uint8_t* const* rows, JDIMENSION count) {
    if (!started_) Start();
    // libjpeg does not write to the pointers, though it does not say so.
    auto* const pointers = const_cast<JSAMPARRAY>(rows);
    for (JDIMENSION done = 0; done < count;) {
      done += jpeg_read_scanlines(&info_, pointers + done, count - done);
    }
  }

  void Start() {
    jpeg_start_decompress(&info_);
    started_ = true;
    if (own_huffman_) entropy_ = JpegEntropy::Replace(info_);
  }

  const std::span<const std::byte> file_;
  const DecodeOptions& options_;
  RawPicture raw_;
  std::unique_ptr<JpegEntropy> entropy_;
  bool own_huffman_ = false;
  bool started_ = false;
  ErrorManager error_;
  jpeg_decompress_struct info_{};
};

}  // namespace

bool IsJpeg(std::span<const std::byte> file) {
  return file.size() >= 3 && file[0] == std::byte{0xFF} && file[1] == std::byte{0xD8} &&
         file[2] == std::byte{0xFF};
}

Result<std::unique_ptr<JpegFile>> JpegFile::Open(std::span<const std::byte> file,
                                                 const DecodeOptions& options) {
  auto jpeg = std::make_unique<JpegDecoder>(file, options);
  RETURN_IF_ERROR(jpeg->ReadHeaders());
  return std::unique_ptr<JpegFile>(std::move(jpeg));
}

}  // namespace penstock::preprocess
