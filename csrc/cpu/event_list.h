// The positions of set bits as a list.
#pragma once

#include <bit>
#include <cstdint>

#include "cpu/dispatch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

inline constexpr int64_t kSpareEvents = 32;  // compressed stores write whole registers

// Appends first + i for each set bit i; returns how many. Writes up to kSpareEvents past the end.
template <class Target>
LAMPYRIS_INLINE int64_t append_events(Target, uint32_t word, int32_t first, int32_t* to) {
  int64_t n = 0;
  for (; word != 0; word &= word - 1) to[n++] = first + std::countr_zero(word);
  return n;
}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512 inline int64_t append_events(Avx512, uint32_t word, int32_t first,
                                                    int32_t* to) {
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i low = _mm512_add_epi32(_mm512_set1_epi32(first), lanes);
  const auto mask = static_cast<__mmask16>(word), rest = static_cast<__mmask16>(word >> 16);
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(mask, low));
  const int64_t n = std::popcount(static_cast<uint32_t>(mask));
  _mm512_storeu_si512(to + n, _mm512_maskz_compress_epi32(
                                  rest, _mm512_add_epi32(low, _mm512_set1_epi32(16))));
  return n + std::popcount(static_cast<uint32_t>(rest));
}
#endif

}  // namespace lampyris
