// 64 bytes of text looked at together: what BERT's stages make of ASCII, as bit masks. SSE2 is part
// of every x86-64 and NEON of every arm64, so the choice is the compiler's; wider registers gain
// nothing, since looking words up costs ten times as much. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace penstock::preprocess {

inline constexpr std::size_t kBlockSize = 64;

// Bit i speaks of byte i. Where no bit is set in any mask, the byte is a space, \t, \n or \r.
struct AsciiBlock {
  std::uint64_t word = 0;         // letters and digits
  std::uint64_t punctuation = 0;  // the rest of what is printed
  std::uint64_t other = 0;        // control characters, and everything outside ASCII
};

// The twin that the vectorised forms are compared with. Writes the 64 bytes at `to`, with letters
// in lower case if `lowercase`.
inline AsciiBlock LookAtBlockScalar(const std::uint8_t* from, bool lowercase, std::uint8_t* to) {
  AsciiBlock block;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const std::uint8_t byte = from[i];
    const bool upper = byte >= 'A' && byte <= 'Z';
    const bool letter = upper || (byte >= 'a' && byte <= 'z');
    const bool digit = byte >= '0' && byte <= '9';
    const bool space = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
    const bool printed = byte > ' ' && byte < 0x7F;
    const std::uint64_t bit = 1ULL << i;
    if (letter || digit) {
      block.word |= bit;
    } else if (printed) {
      block.punctuation |= bit;
    } else if (!space) {
      block.other |= bit;
    }
    to[i] = upper && lowercase ? static_cast<std::uint8_t>(byte | 0x20U) : byte;
  }
  return block;
}

#if defined(__SSE2__)

// Bytes of `value` in [first, first + count): moved so that signed comparison does.
inline __m128i InRange(__m128i value, char first, char count) {
  const __m128i moved = _mm_sub_epi8(value, _mm_set1_epi8(static_cast<char>(first + 128)));
  return _mm_cmplt_epi8(moved, _mm_set1_epi8(static_cast<char>(count - 128)));
}

inline AsciiBlock LookAtBlock(const std::uint8_t* from, bool lowercase, std::uint8_t* to) {
  AsciiBlock block;
  const __m128i case_bit = _mm_set1_epi8(0x20);
  for (std::size_t i = 0; i < kBlockSize; i += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    const __m128i letter = InRange(_mm_or_si128(bytes, case_bit), 'a', 26);
    const __m128i word = _mm_or_si128(letter, InRange(bytes, '0', 10));
    const __m128i printed = InRange(bytes, '!', 94);
    const __m128i space = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')),
                                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r'))),
                                       InRange(bytes, '\t', 2));
    const __m128i lower = _mm_or_si128(bytes, _mm_and_si128(letter, case_bit));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), lowercase ? lower : bytes);
    const auto mask = [i](__m128i value) {
      return static_cast<std::uint64_t>(static_cast<std::uint16_t>(_mm_movemask_epi8(value))) << i;
    };
    block.word |= mask(word);
    block.punctuation |= mask(_mm_andnot_si128(word, printed));
    block.other |= ~mask(_mm_or_si128(printed, space)) & (0xFFFFULL << i);
  }
  return block;
}

#elif defined(__ARM_NEON) && defined(__aarch64__)

inline uint8x16_t InRange(uint8x16_t value, std::uint8_t first, std::uint8_t count) {
  return vcltq_u8(vsubq_u8(value, vdupq_n_u8(first)), vdupq_n_u8(count));
}

// The top bits of four registers' bytes as one number.
inline std::uint64_t MaskOf(const std::array<uint8x16_t, 4>& values) {
  constexpr std::array<std::uint8_t, 16> kBits = {1, 2, 4, 8, 16, 32, 64, 128,
                                                  1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bits = vld1q_u8(kBits.data());
  const uint8x16_t low = vpaddq_u8(vandq_u8(values[0], bits), vandq_u8(values[1], bits));
  const uint8x16_t high = vpaddq_u8(vandq_u8(values[2], bits), vandq_u8(values[3], bits));
  const uint8x16_t joined = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(joined, joined)), 0);
}

inline AsciiBlock LookAtBlock(const std::uint8_t* from, bool lowercase, std::uint8_t* to) {
  std::array<uint8x16_t, 4> word;
  std::array<uint8x16_t, 4> punctuation;
  std::array<uint8x16_t, 4> other;
  const uint8x16_t case_bit = vdupq_n_u8(0x20);
  for (std::size_t i = 0; i < 4; ++i) {
    const uint8x16_t bytes = vld1q_u8(from + i * 16);
    const uint8x16_t letter = InRange(vorrq_u8(bytes, case_bit), 'a', 26);
    word[i] = vorrq_u8(letter, InRange(bytes, '0', 10));
    const uint8x16_t printed = InRange(bytes, '!', 94);
    const uint8x16_t space =
        vorrq_u8(vorrq_u8(vceqq_u8(bytes, vdupq_n_u8(' ')), vceqq_u8(bytes, vdupq_n_u8('\r'))),
                 InRange(bytes, '\t', 2));
    punctuation[i] = vbicq_u8(printed, word[i]);
    other[i] = vmvnq_u8(vorrq_u8(printed, space));
    vst1q_u8(to + i * 16, lowercase ? vorrq_u8(bytes, vandq_u8(letter, case_bit)) : bytes);
  }
  return {.word = MaskOf(word), .punctuation = MaskOf(punctuation), .other = MaskOf(other)};
}

#else

inline AsciiBlock LookAtBlock(const std::uint8_t* from, bool lowercase, std::uint8_t* to) {
  return LookAtBlockScalar(from, lowercase, to);
}

#endif

}  // namespace penstock::preprocess
