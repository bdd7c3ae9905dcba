#include "preprocess/image/jpeg_entropy.h"

#if PENSTOCK_JPEG_HUFFMAN
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

// They name FILE and size_t and include nothing for them, so they come after what does.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
#include <jpegint.h>
// clang-format on

#include "preprocess/image/jpeg_huffman.h"
#endif

namespace penstock::preprocess {

#if PENSTOCK_JPEG_HUFFMAN

namespace {

static_assert(std::is_same_v<JCOEF, std::int16_t>);
static_assert(sizeof(JBLOCK) == HuffmanDecoder::kBlockSize * sizeof(JCOEF));
static_assert(D_MAX_BLOCKS_IN_MCU == HuffmanDecoder::kBlocksMax);
static_assert(MAX_COMPS_IN_SCAN == HuffmanDecoder::kComponentsMax);
// The only member of a structure without a promise that is written to. It has been there since
// 1996, in all that calls itself libjpeg-turbo.
static_assert(offsetof(jpeg_entropy_decoder, decode_mcu) == sizeof(void*));

// The library that runs need not be the one whose headers were seen.
bool IsLibjpegTurbo(const jpeg_decompress_struct& info) {
  if (JMSG_COPYRIGHT > info.err->last_jpeg_message) return false;
  const char* const text = info.err->jpeg_message_table[JMSG_COPYRIGHT];
  return text != nullptr && std::strstr(text, "libjpeg-turbo") != nullptr;
}

// A file of the kind that nearly all are. What is odd about a scan's parameters is left to the
// library.
bool IsSequentialHuffman(jpeg_decompress_struct& info) {
  return info.progressive_mode == FALSE && info.arith_code == FALSE && info.data_precision == 8 &&
         jpeg_has_multiple_scans(&info) == FALSE && info.Ss == 0 && info.Se == DCTSIZE2 - 1 &&
         info.Ah == 0 && info.Al == 0;
}

int ScaledSize(const jpeg_component_info& component) {
#if JPEG_LIB_VERSION >= 70
  return component.DCT_h_scaled_size;
#else
  return component.DCT_scaled_size;
#endif
}

class Huffman final : public JpegEntropy {
 public:
  // Leaves no mark on `info`. False: the tables are not such as are known here.
  bool Prepare(const jpeg_decompress_struct& info) {
    std::array<HuffmanDecoder::Block, HuffmanDecoder::kBlocksMax> blocks;
    const auto count = static_cast<std::size_t>(info.blocks_in_MCU);
    for (std::size_t i = 0; i < count; ++i) {
      const auto component = static_cast<std::size_t>(info.MCU_membership[i]);
      const jpeg_component_info& told = *info.cur_comp_info[component];
      blocks[i] = {
          .dc = dc_[told.dc_tbl_no].Of(HuffmanTable::Kind::kDc,
                                       info.dc_huff_tbl_ptrs[told.dc_tbl_no]),
          .ac = ac_[told.ac_tbl_no].Of(HuffmanTable::Kind::kAc,
                                       info.ac_huff_tbl_ptrs[told.ac_tbl_no]),
          .component = component,
          .keeps_ac = ScaledSize(told) > 1,
          .keeps_any = told.component_needed != FALSE,
      };
      if (blocks[i].dc == nullptr || blocks[i].ac == nullptr) return false;
    }
    decoder_.emplace(std::span(blocks).first(count));
    decoder_->Start({info.src->next_input_byte, info.src->bytes_in_buffer});
    until_restart_ = info.restart_interval;
    return true;
  }

  // libjpeg's contract: the blocks are zeros; TRUE, since the source never has to be waited for.
  static boolean DecodeMcu(j_decompress_ptr info, JBLOCKROW* mcu) {
    Huffman& self = *static_cast<Huffman*>(info->client_data);
    if (info->restart_interval != 0) {
      if (self.until_restart_ == 0) self.Restart(*info);
      --self.until_restart_;
    }
    std::array<std::int16_t*, HuffmanDecoder::kBlocksMax> blocks;
    for (std::size_t i = 0; i < static_cast<std::size_t>(info->blocks_in_MCU); ++i) {
      blocks[i] = &mcu[i][0][0];
    }
    if (!self.decoder_->DecodeMcu(blocks.data())) {
      info->err->msg_code = JWRN_HIT_MARKER;
      (*info->err->emit_message)(reinterpret_cast<j_common_ptr>(info), -1);
    }
    return TRUE;
  }

 private:
  // One of the file's tables, made when it is first asked for.
  class Table final {
   public:
    const HuffmanTable* Of(HuffmanTable::Kind kind, const JHUFF_TBL* told) {
      if (made_) return &table_;
      if (told == nullptr) return nullptr;
      // bits[0] is not used.
      made_ = table_.Build(kind, std::span(told->bits).last<16>(), told->huffval);
      return made_ ? &table_ : nullptr;
    }

   private:
    bool made_ = false;
    HuffmanTable table_;
  };

  // Where the marker is another than was due, the library decides how to go on.
  void Restart(jpeg_decompress_struct& info) {
    const std::span<const std::uint8_t> rest = decoder_->rest();
    info.src->next_input_byte = rest.data();
    info.src->bytes_in_buffer = rest.size();
    (*info.marker->read_restart_marker)(&info);
    // A marker that it would not pass: nothing is coded before it.
    const std::size_t coded = info.unread_marker != 0 ? 0 : info.src->bytes_in_buffer;
    decoder_->Start({info.src->next_input_byte, coded});
    until_restart_ = info.restart_interval;
  }

  std::array<Table, NUM_HUFF_TBLS> dc_;
  std::array<Table, NUM_HUFF_TBLS> ac_;
  std::optional<HuffmanDecoder> decoder_;
  unsigned until_restart_ = 0;  // MCUs
};

}  // namespace

std::unique_ptr<JpegEntropy> JpegEntropy::Replace(jpeg_decompress_struct& info) {
  if (!IsLibjpegTurbo(info) || !IsSequentialHuffman(info)) return nullptr;
  auto made = std::make_unique_for_overwrite<Huffman>();
  if (!made->Prepare(info)) return nullptr;
  info.client_data = made.get();
  info.entropy->decode_mcu = &Huffman::DecodeMcu;
  return made;
}

#else

std::unique_ptr<JpegEntropy> JpegEntropy::Replace(jpeg_decompress_struct&) {
  return nullptr;
}

#endif

}  // namespace penstock::preprocess
