// Huffman decoding of the coded data of a sequential JPEG. Pure: knows no file and no libjpeg;
// scratch of one thread. What it makes of broken data is what libjpeg makes of them, so that it may
// stand for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock::preprocess {

// The codes of one table, looked up by the next bits of the data.
class HuffmanTable final {
 public:
  enum class Kind : std::uint8_t { kDc, kAc };
  static constexpr unsigned kLookupBits = 11;

  // What a code says. Packed, since one is loaded for each coefficient:
  //   bits 0 to 5    how many bits it takes; 0: it is longer than kLookupBits, ask Find
  //   bits 6 to 11   how many coefficients further its value belongs; kToEnd: none is left
  //   bits 12 to 15  how many more bits hold the value; 0: it is known, those bits are counted
  //   above bits 16 to 31  the value, signed
  using Entry = std::uint32_t;
  static constexpr unsigned kToEnd = 63;

  static unsigned Bits(Entry entry) { return entry & 63; }
  static unsigned Advance(Entry entry) { return entry >> 6 & 63; }
  static unsigned ExtraBits(Entry entry) { return entry >> 12 & 15; }
  static std::int16_t Value(Entry entry) { return static_cast<std::int16_t>(entry >> 16); }
  // Value and length are known, nothing else has to be read.
  static bool IsComplete(Entry entry) { return (entry & 0xF000) == 0; }

  // `counts[i]` codes of i + 1 bits, for `symbols` in this order. False: no such code exists, or a
  // DC symbol asks for more than 15 bits.
  bool Build(Kind kind, std::span<const std::uint8_t, 16> counts,
             std::span<const std::uint8_t> symbols);

  // `next`: the data's next bits, the first of them the highest.
  Entry Look(std::uint64_t next) const { return entries_[next >> (64 - kLookupBits)]; }
  // Of a code that Look does not know. One that is in no table takes 17 bits and says nothing, or
  // that the block ends.
  Entry Find(std::uint64_t next) const;
  // With the value that its ExtraBits, not 0, were read as.
  static Entry WithValue(Entry entry, std::uint32_t read);

 private:
  static constexpr unsigned kCodeBitsMax = 16;
  static constexpr Entry kLonger = 0xF000;

  void Enter(std::uint32_t code, unsigned length, std::uint8_t symbol);
  Entry EntryOf(unsigned length, std::uint8_t symbol) const;

  std::array<Entry, 1 << kLookupBits> entries_;
  // For codes of each length: the first 16-bit number behind them, and what turns one of them into
  // its symbol's place.
  std::array<std::uint32_t, kCodeBitsMax + 1> limits_;
  std::array<std::int32_t, kCodeBitsMax + 1> places_;
  std::array<std::uint8_t, 256> symbols_;
  Kind kind_;
};

// A run of coded data, from the headers or a restart marker to the next marker, into coefficients.
// Bytes are taken out of their stuffing some thousand at a time, so that what reads bits never
// looks for markers.
class HuffmanDecoder final {
 public:
  static constexpr std::size_t kBlocksMax = 10;  // in an MCU
  static constexpr std::size_t kComponentsMax = 4;
  static constexpr std::size_t kBlockSize = 64;

  // How a block of each MCU is coded, and what of it is wanted. The tables outlive the decoder.
  struct Block {
    const HuffmanTable* dc = nullptr;
    const HuffmanTable* ac = nullptr;
    std::size_t component = 0;
    bool keeps_ac = true;
    bool keeps_any = true;
  };

  // At most kBlocksMax.
  explicit HuffmanDecoder(std::span<const Block> blocks);

  // A new run begins there. The data outlive it, and hold no 0xFF 0xFF 0x00.
  void Start(std::span<const std::uint8_t> data);

  // Adds the coefficients to `blocks`, one of kBlockSize zeros for each Block: in natural order,
  // not yet multiplied. False: the data ended before the MCU did, and what is missing was taken for
  // zeros.
  bool DecodeMcu(std::int16_t* const* blocks);

  // What was not looked at yet: no marker stands before it.
  std::span<const std::uint8_t> rest() const { return {next_, end_}; }

 private:
  // No code and its extra bits take more than 31 bits.
  static constexpr std::size_t kBlockBytesMax = kBlockSize * 31 / 8;
  static constexpr std::size_t kLookAhead = 16;
  static constexpr std::size_t kWindowBytes = 8192;

  void FillWindow();
  void Unstuff();

  std::array<Block, kBlocksMax> blocks_;
  std::size_t block_count_;
  std::size_t mcu_bytes_max_;

  const std::uint8_t* next_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  bool run_ended_ = true;  // at a marker, or with the data
  std::array<std::uint32_t, kComponentsMax> last_dc_{};
  std::size_t position_ = 0;      // in bits
  std::size_t window_bytes_ = 0;  // zeros follow them where the run ended
  std::array<std::int16_t, kBlockSize> unwanted_;
  std::array<std::uint8_t, kWindowBytes + kBlocksMax * kBlockBytesMax + 3 * kLookAhead> window_;
};

}  // namespace penstock::preprocess
