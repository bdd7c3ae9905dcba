// AVX2: two blocks, so two rows at once.
#if defined(__x86_64__)
#include <immintrin.h>

#include "preprocess/image/resample_kernels_simd.h"

namespace penstock::preprocess {
namespace {

struct Avx2 {
  static constexpr int kBlocks = 2;
  using Bytes = __m256i;
  struct Sum {
    __m256i high = _mm256_setzero_si256();
    __m256i low = _mm256_setzero_si256();
  };

  static __m128i LoadBlock(const std::uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Bytes Load(const std::uint8_t* from) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  }
  static Bytes Repeat(const std::uint8_t* block) {
    return _mm256_broadcastsi128_si256(LoadBlock(block));
  }
  static Bytes LoadRows(const std::uint8_t* const* rows, std::int64_t offset) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(LoadBlock(rows[0] + offset)),
                                   LoadBlock(rows[1] + offset), 1);
  }
  static Bytes Permute(Bytes bytes, Bytes order) { return _mm256_shuffle_epi8(bytes, order); }

  static void Interleave(Bytes (&rows)[4]) {
    const Bytes low01 = _mm256_unpacklo_epi8(rows[0], rows[1]);
    const Bytes high01 = _mm256_unpackhi_epi8(rows[0], rows[1]);
    const Bytes low23 = _mm256_unpacklo_epi8(rows[2], rows[3]);
    const Bytes high23 = _mm256_unpackhi_epi8(rows[2], rows[3]);
    rows[0] = _mm256_unpacklo_epi16(low01, low23);
    rows[1] = _mm256_unpackhi_epi16(low01, low23);
    rows[2] = _mm256_unpacklo_epi16(high01, high23);
    rows[3] = _mm256_unpackhi_epi16(high01, high23);
  }

  static void Dot(Sum& sum, Bytes taps, const std::uint32_t* packed) {
    const auto weights = [&](int i) { return _mm256_set1_epi32(static_cast<int>(packed[i])); };
    const __m256i even = _mm256_and_si256(taps, _mm256_set1_epi16(0xFF));
    const __m256i odd = _mm256_srli_epi16(taps, 8);
    sum.high = _mm256_add_epi32(sum.high, _mm256_add_epi32(_mm256_madd_epi16(even, weights(0)),
                                                           _mm256_madd_epi16(odd, weights(1))));
    sum.low = _mm256_add_epi32(sum.low, _mm256_add_epi32(_mm256_madd_epi16(even, weights(2)),
                                                         _mm256_madd_epi16(odd, weights(3))));
  }

  static __m256i Round(const Sum& sum) {
    const __m256i all = _mm256_add_epi32(_mm256_slli_epi32(sum.high, 8), sum.low);
    return _mm256_srai_epi32(_mm256_add_epi32(all, _mm256_set1_epi32(1 << (kWeightBits - 1))),
                             kWeightBits);
  }
  static Bytes PackBytes(const Sum (&sums)[4]) {
    return _mm256_packus_epi16(_mm256_packs_epi32(Round(sums[0]), Round(sums[1])),
                               _mm256_packs_epi32(Round(sums[2]), Round(sums[3])));
  }

  static void Store(Bytes bytes, std::uint8_t* to) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
  }
  static void StoreRows(Bytes bytes, std::uint8_t* const* rows, std::int64_t offset) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rows[0] + offset), _mm256_castsi256_si128(bytes));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(rows[1] + offset),
                     _mm256_extracti128_si256(bytes, 1));
  }
};

}  // namespace

extern const ResampleKernels kAvx2Kernels = {.name = "avx2",
                                             .pack = &PackHalves,
                                             .horizontal = &Horizontal<Avx2>,
                                             .vertical = &Vertical<Avx2>,
                                             .to_float = &ToFloat};

}  // namespace penstock::preprocess
#endif
