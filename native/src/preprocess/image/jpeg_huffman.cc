#include "preprocess/image/jpeg_huffman.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"

namespace penstock::preprocess {
namespace {

// Where a coefficient belongs, by its place in the coded order. Broken data go past the last one;
// what they say is then said of the last, as in libjpeg.
constexpr auto kNaturalOrder = [] {
  std::array<std::uint8_t, 2 * HuffmanDecoder::kBlockSize> order{};
  order.fill(63);
  int row = 0;
  int column = 0;
  for (std::size_t i = 0; i < HuffmanDecoder::kBlockSize; ++i) {
    order[i] = static_cast<std::uint8_t>(row * 8 + column);
    const bool up = (row + column) % 2 == 0;
    int& forward = up ? column : row;
    int& back = up ? row : column;
    if (forward == 7) {
      ++back;
    } else {
      ++forward;
      if (back > 0) --back;
    }
  }
  return order;
}();

std::uint64_t LoadBigEndian(const std::uint8_t* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  return word;
}

// The next bits of a window, the first of them the highest. Reads eight bytes at a time, at most
// seven past what is asked for.
class BitReader final {
 public:
  BitReader(const std::uint8_t* window, std::size_t position)
      : at_(window + position / 8 + 7),
        next_(LoadBigEndian(window + position / 8) << position % 8),
        count_(56 - static_cast<unsigned>(position % 8)) {}

  // At least 56 bits are there afterwards. Bits beyond count_ are the right ones already.
  void Refill() {
    next_ |= LoadBigEndian(at_) >> count_;
    at_ += (63 - count_) >> 3;
    count_ |= 56;
  }
  std::uint64_t next() const { return next_; }
  void Skip(unsigned bits) {
    next_ <<= bits;
    count_ -= bits;
  }
  std::size_t Position(const std::uint8_t* window) const {
    return static_cast<std::size_t>(at_ - window) * 8 - count_;
  }

 private:
  const std::uint8_t* at_;
  std::uint64_t next_;
  unsigned count_;
};

// The rest of an entry that is not complete: its value is read.
[[gnu::always_inline]] inline HuffmanTable::Entry Complete(const HuffmanTable& table,
                                                           HuffmanTable::Entry entry,
                                                           BitReader& reader) {
  if (HuffmanTable::Bits(entry) == 0) entry = table.Find(reader.next());
  reader.Skip(HuffmanTable::Bits(entry));
  const unsigned bits = HuffmanTable::ExtraBits(entry);
  if (bits == 0) return entry;
  const auto read = static_cast<std::uint32_t>(reader.next() >> (64 - bits));
  reader.Skip(bits);
  return HuffmanTable::WithValue(entry, read);
}

[[gnu::always_inline]] inline HuffmanTable::Entry Read(const HuffmanTable& table,
                                                       BitReader& reader) {
  HuffmanTable::Entry entry = table.Look(reader.next());
  if (HuffmanTable::IsComplete(entry)) [[likely]] {
    reader.Skip(HuffmanTable::Bits(entry));
    return entry;
  }
  reader.Refill();
  entry = Complete(table, entry, reader);
  reader.Refill();
  return entry;
}

// The end of a block and a run of 16 zeros write a zero like a coefficient: nothing stands yet
// where they do, and there is one branch less to be guessed.
[[gnu::always_inline]] inline void ReadAc(const HuffmanTable& table, BitReader& reader,
                                          std::int16_t* block) {
  for (unsigned k = 0;;) {
    reader.Refill();
    for (unsigned i = 0; i < 56 / HuffmanTable::kLookupBits; ++i) {
      const HuffmanTable::Entry entry = Read(table, reader);
      k += HuffmanTable::Advance(entry);
      block[kNaturalOrder[k]] = HuffmanTable::Value(entry);
      if (k >= 63) return;
    }
  }
}

}  // namespace

bool HuffmanTable::Build(Kind kind, std::span<const std::uint8_t, 16> counts,
                         std::span<const std::uint8_t> symbols) {
  kind_ = kind;
  entries_.fill(kLonger);
  std::uint32_t code = 0;
  std::size_t place = 0;
  for (unsigned length = 1; length <= kCodeBitsMax; ++length, code <<= 1) {
    const std::uint8_t count = counts[length - 1];
    places_[length] = static_cast<std::int32_t>(place) - static_cast<std::int32_t>(code);
    // No code is all ones.
    if (count > 0 && code + count >= std::uint32_t{1} << length) return false;
    if (place + count > symbols.size() || place + count > symbols_.size()) return false;
    for (std::size_t i = 0; i < count; ++i, ++place, ++code) {
      symbols_[place] = symbols[place];
      if (kind == Kind::kDc && symbols[place] > 15) return false;
      if (length <= kLookupBits) Enter(code, length, symbols[place]);
    }
    limits_[length] = code << (kCodeBitsMax - length);
  }
  return true;
}

HuffmanTable::Entry HuffmanTable::EntryOf(unsigned length, std::uint8_t symbol) const {
  const unsigned extra = symbol & 15;
  const unsigned run = symbol >> 4;
  unsigned advance = 0;
  if (kind_ == Kind::kAc) {
    const bool ends = extra == 0 && run != 15;
    advance = ends ? kToEnd : run + 1;
  }
  return extra << 12 | advance << 6 | length;
}

// Every number of kLookupBits bits that begins with the code.
void HuffmanTable::Enter(std::uint32_t code, unsigned length, std::uint8_t symbol) {
  const Entry entry = EntryOf(length, symbol);
  const unsigned extra = ExtraBits(entry);
  const unsigned left = kLookupBits - length;
  auto at = entries_.begin() + (code << left);
  if (extra == 0 || extra > left) {
    std::fill_n(at, 1 << left, entry);
    return;
  }
  for (std::uint32_t read = 0; read < std::uint32_t{1} << extra; ++read) {
    const Entry whole = WithValue(entry, read) + extra;
    at = std::fill_n(at, 1 << (left - extra), whole);
  }
}

HuffmanTable::Entry HuffmanTable::WithValue(Entry entry, std::uint32_t read) {
  // Those that begin with 0 are negative.
  const std::uint32_t half = std::uint32_t{1} << (ExtraBits(entry) - 1);
  const std::uint32_t value = read < half ? read - 2 * half + 1 : read;
  return (entry & 0xFFF) | value << 16;
}

HuffmanTable::Entry HuffmanTable::Find(std::uint64_t next) const {
  const auto code = static_cast<std::uint32_t>(next >> (64 - kCodeBitsMax));
  for (unsigned length = kLookupBits + 1; length <= kCodeBitsMax; ++length) {
    if (code >= limits_[length]) continue;
    const auto place = static_cast<std::int32_t>(code >> (kCodeBitsMax - length)) + places_[length];
    return EntryOf(length, symbols_[static_cast<std::size_t>(place)]);
  }
  return EntryOf(kCodeBitsMax + 1, 0);
}

HuffmanDecoder::HuffmanDecoder(std::span<const Block> blocks)
    : block_count_(blocks.size()), mcu_bytes_max_(blocks.size() * kBlockBytesMax + 2 * kLookAhead) {
  CHECK_LE(blocks.size(), kBlocksMax);
  std::copy(blocks.begin(), blocks.end(), blocks_.begin());
}

void HuffmanDecoder::Start(std::span<const std::uint8_t> data) {
  next_ = data.data();
  end_ = data.data() + data.size();
  run_ended_ = false;
  last_dc_.fill(0);
  position_ = 0;
  window_bytes_ = 0;
}

bool HuffmanDecoder::DecodeMcu(std::int16_t* const* blocks) {
  if (!run_ended_ && window_bytes_ - position_ / 8 < mcu_bytes_max_) FillWindow();
  BitReader reader(window_.data(), position_);
  for (std::size_t i = 0; i < block_count_; ++i) {
    const Block& block = blocks_[i];
    reader.Refill();
    const HuffmanTable::Entry entry = Read(*block.dc, reader);
    // Broken data may add up to anything: unsigned, cut to 16 bits.
    std::uint32_t& dc = last_dc_[block.component];
    dc += static_cast<std::uint32_t>(std::int32_t{HuffmanTable::Value(entry)});
    if (block.keeps_any) blocks[i][0] = static_cast<std::int16_t>(dc);
    ReadAc(*block.ac, reader, block.keeps_any && block.keeps_ac ? blocks[i] : unwanted_.data());
  }
  position_ = reader.Position(window_.data());
  if (position_ <= window_bytes_ * 8) return true;
  position_ = window_bytes_ * 8;
  return false;
}

void HuffmanDecoder::FillWindow() {
  const std::size_t done = position_ / 8;
  std::memmove(window_.data(), window_.data() + done, window_bytes_ - done);
  window_bytes_ -= done;
  position_ %= 8;
  Unstuff();
  if (run_ended_) std::memset(window_.data() + window_bytes_, 0, mcu_bytes_max_);
}

// Up to a marker: 0xFF and something else than 0.
void HuffmanDecoder::Unstuff() {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::uint8_t* to = window_.data() + window_bytes_;
  std::uint8_t* const full = window_.data() + kWindowBytes;
  while (to < full && !run_ended_) {
    std::uint64_t word = 0;
    if (end_ - next_ >= 8) {
      std::memcpy(&word, next_, sizeof word);
      const bool may_hold_ff = ((~word - kOnes) & word & kHighBits) != 0;
      if (!may_hold_ff) {
        std::memcpy(to, &word, sizeof word);
        to += sizeof word;
        next_ += sizeof word;
        continue;
      }
    }
    // Byte for byte to behind the next 0xFF.
    for (std::uint8_t byte = 0; byte != 0xFF && to < full;) {
      const std::ptrdiff_t left = end_ - next_;
      run_ended_ = left == 0 || (*next_ == 0xFF && (left == 1 || next_[1] != 0));
      if (run_ended_) break;
      byte = *next_;
      *to++ = byte;
      next_ += byte == 0xFF ? 2 : 1;
    }
  }
  window_bytes_ = static_cast<std::size_t>(to - window_.data());
}

}  // namespace penstock::preprocess
