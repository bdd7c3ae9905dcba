// x86-64-v2: what every server of the last fifteen years has.
#if defined(__x86_64__)
#include <smmintrin.h>

#include "preprocess/image/resample_kernels_simd.h"

namespace penstock::preprocess {
namespace {

struct Sse41 {
  static constexpr int kBlocks = 1;
  using Bytes = __m128i;
  struct Sum {
    __m128i high = _mm_setzero_si128();
    __m128i low = _mm_setzero_si128();
  };

  static Bytes Load(const std::uint8_t* from) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  }
  static Bytes Repeat(const std::uint8_t* block) { return Load(block); }
  static Bytes LoadRows(const std::uint8_t* const* rows, std::int64_t offset) {
    return Load(rows[0] + offset);
  }
  static Bytes Permute(Bytes bytes, Bytes order) { return _mm_shuffle_epi8(bytes, order); }

  static void Interleave(Bytes (&rows)[4]) {
    const Bytes low01 = _mm_unpacklo_epi8(rows[0], rows[1]);
    const Bytes high01 = _mm_unpackhi_epi8(rows[0], rows[1]);
    const Bytes low23 = _mm_unpacklo_epi8(rows[2], rows[3]);
    const Bytes high23 = _mm_unpackhi_epi8(rows[2], rows[3]);
    rows[0] = _mm_unpacklo_epi16(low01, low23);
    rows[1] = _mm_unpackhi_epi16(low01, low23);
    rows[2] = _mm_unpacklo_epi16(high01, high23);
    rows[3] = _mm_unpackhi_epi16(high01, high23);
  }

  static void Dot(Sum& sum, Bytes taps, const std::uint32_t* packed) {
    const auto weights = [&](int i) { return _mm_set1_epi32(static_cast<int>(packed[i])); };
    const __m128i even = _mm_and_si128(taps, _mm_set1_epi16(0xFF));
    const __m128i odd = _mm_srli_epi16(taps, 8);
    sum.high = _mm_add_epi32(
        sum.high, _mm_add_epi32(_mm_madd_epi16(even, weights(0)), _mm_madd_epi16(odd, weights(1))));
    sum.low = _mm_add_epi32(
        sum.low, _mm_add_epi32(_mm_madd_epi16(even, weights(2)), _mm_madd_epi16(odd, weights(3))));
  }

  static __m128i Round(const Sum& sum) {
    const __m128i all = _mm_add_epi32(_mm_slli_epi32(sum.high, 8), sum.low);
    return _mm_srai_epi32(_mm_add_epi32(all, _mm_set1_epi32(1 << (kWeightBits - 1))), kWeightBits);
  }
  static Bytes PackBytes(const Sum (&sums)[4]) {
    return _mm_packus_epi16(_mm_packs_epi32(Round(sums[0]), Round(sums[1])),
                            _mm_packs_epi32(Round(sums[2]), Round(sums[3])));
  }

  static void Store(Bytes bytes, std::uint8_t* to) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), bytes);
  }
  static void StoreRows(Bytes bytes, std::uint8_t* const* rows, std::int64_t offset) {
    Store(bytes, rows[0] + offset);
  }
};

}  // namespace

extern const ResampleKernels kSse41Kernels = {.name = "sse4.1",
                                              .pack = &PackHalves,
                                              .horizontal = &Horizontal<Sse41>,
                                              .vertical = &Vertical<Sse41>,
                                              .to_float = &ToFloat};

}  // namespace penstock::preprocess
#endif
