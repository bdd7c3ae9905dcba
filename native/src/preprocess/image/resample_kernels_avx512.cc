// AVX-512 with VNNI: four blocks, so a whole group of rows at once, and four products of bytes in
// one instruction. A weight is three signed digits to the base 256.
#if defined(__x86_64__)
#if !defined(__clang__)
// GCC 12's header reads variables before they are set, on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include "preprocess/image/resample_kernels_simd.h"

namespace penstock::preprocess {
namespace {

struct Avx512 {
  static constexpr int kBlocks = 4;
  using Bytes = __m512i;
  struct Sum {
    __m512i digits[3] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
  };

  static __m128i LoadBlock(const std::uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Bytes Load(const std::uint8_t* from) { return _mm512_loadu_si512(from); }
  static Bytes Repeat(const std::uint8_t* block) {
    return _mm512_broadcast_i32x4(LoadBlock(block));
  }
  static Bytes LoadRows(const std::uint8_t* const* rows, std::int64_t offset) {
    Bytes bytes = _mm512_castsi128_si512(LoadBlock(rows[0] + offset));
    bytes = _mm512_inserti32x4(bytes, LoadBlock(rows[1] + offset), 1);
    bytes = _mm512_inserti32x4(bytes, LoadBlock(rows[2] + offset), 2);
    return _mm512_inserti32x4(bytes, LoadBlock(rows[3] + offset), 3);
  }
  static Bytes Permute(Bytes bytes, Bytes order) { return _mm512_shuffle_epi8(bytes, order); }

  static void Interleave(Bytes (&rows)[4]) {
    const Bytes low01 = _mm512_unpacklo_epi8(rows[0], rows[1]);
    const Bytes high01 = _mm512_unpackhi_epi8(rows[0], rows[1]);
    const Bytes low23 = _mm512_unpacklo_epi8(rows[2], rows[3]);
    const Bytes high23 = _mm512_unpackhi_epi8(rows[2], rows[3]);
    rows[0] = _mm512_unpacklo_epi16(low01, low23);
    rows[1] = _mm512_unpackhi_epi16(low01, low23);
    rows[2] = _mm512_unpacklo_epi16(high01, high23);
    rows[3] = _mm512_unpackhi_epi16(high01, high23);
  }

  static void Dot(Sum& sum, Bytes taps, const std::uint32_t* packed) {
    const auto weights = [&](int i) { return _mm512_set1_epi32(static_cast<int>(packed[i])); };
    sum.digits[0] = _mm512_dpbusd_epi32(sum.digits[0], taps, weights(0));
    sum.digits[1] = _mm512_dpbusd_epi32(sum.digits[1], taps, weights(1));
    sum.digits[2] = _mm512_dpbusd_epi32(sum.digits[2], taps, weights(2));
  }

  static __m512i Round(const Sum& sum) {
    __m512i all = _mm512_add_epi32(_mm512_slli_epi32(sum.digits[2], 8), sum.digits[1]);
    all = _mm512_add_epi32(_mm512_slli_epi32(all, 8), sum.digits[0]);
    return _mm512_srai_epi32(_mm512_add_epi32(all, _mm512_set1_epi32(1 << (kWeightBits - 1))),
                             kWeightBits);
  }
  static Bytes PackBytes(const Sum (&sums)[4]) {
    return _mm512_packus_epi16(_mm512_packs_epi32(Round(sums[0]), Round(sums[1])),
                               _mm512_packs_epi32(Round(sums[2]), Round(sums[3])));
  }

  static void Store(Bytes bytes, std::uint8_t* to) { _mm512_storeu_si512(to, bytes); }
  static void StoreRows(Bytes bytes, std::uint8_t* const* rows, std::int64_t offset) {
    const auto store = [&](int row, __m128i block) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(rows[row] + offset), block);
    };
    store(0, _mm512_castsi512_si128(bytes));
    store(1, _mm512_extracti32x4_epi32(bytes, 1));
    store(2, _mm512_extracti32x4_epi32(bytes, 2));
    store(3, _mm512_extracti32x4_epi32(bytes, 3));
  }
};

void PackDigits(const std::int32_t* weights, std::uint32_t* packed) {
  for (int digit = 0; digit < 4; ++digit) packed[digit] = 0;
  for (int i = 0; i < 4; ++i) {
    std::int32_t rest = weights[i];
    for (int digit = 0; digit < 3; ++digit) {
      const std::int32_t value = ((rest + 128) & 0xFF) - 128;
      packed[digit] |= (static_cast<std::uint32_t>(value) & 0xFF) << (8 * i);
      rest = (rest - value) >> 8;
    }
  }
}

}  // namespace

extern const ResampleKernels kAvx512Kernels = {.name = "avx512-vnni",
                                               .pack = &PackDigits,
                                               .horizontal = &Horizontal<Avx512>,
                                               .vertical = &Vertical<Avx512>,
                                               .to_float = &ToFloat};

}  // namespace penstock::preprocess
#endif
