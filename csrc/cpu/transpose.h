// 16 x 16 floats to their transpose, the piece that matrix packing is made of.
#pragma once

#include <cstdint>

#include "cpu/dispatch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

inline constexpr int64_t kTransposeSide = 16;

// to[c * to_stride + r] = from[r * from_stride + c] for r, c < 16.
template <class Target>
LAMPYRIS_INLINE void transpose_tile(Target, const float* from, int64_t from_stride, float* to,
                                    int64_t to_stride) {
  for (int64_t r = 0; r < kTransposeSide; ++r) {
    for (int64_t c = 0; c < kTransposeSide; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  }
}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512 inline void transpose_tile(Avx512, const float* from, int64_t from_stride,
                                                  float* to, int64_t to_stride) {
  constexpr __mmask16 kAll = 0xFFFF;  // gcc 12 warns about the plain forms' undefined operand
  __m512 a[16], b[16];
  for (int r = 0; r < 16; ++r) a[r] = _mm512_loadu_ps(from + r * from_stride);
  for (int r = 0; r < 16; r += 2) {
    b[r] = _mm512_maskz_unpacklo_ps(kAll, a[r], a[r + 1]);
    b[r + 1] = _mm512_maskz_unpackhi_ps(kAll, a[r], a[r + 1]);
  }
  for (int r = 0; r < 16; r += 4) {
    for (int h = 0; h < 2; ++h) {
      a[r + 2 * h] = _mm512_maskz_shuffle_ps(kAll, b[r + h], b[r + 2 + h], 0x44);
      a[r + 2 * h + 1] = _mm512_maskz_shuffle_ps(kAll, b[r + h], b[r + 2 + h], 0xEE);
    }
  }
  // a[4 q + i] holds columns i, i + 4, i + 8, i + 12 of rows 4 q to 4 q + 3, a 128-bit part each.
  for (int i = 0; i < 4; ++i) {
    b[i] = _mm512_maskz_shuffle_f32x4(kAll, a[i], a[4 + i], 0x88);
    b[4 + i] = _mm512_maskz_shuffle_f32x4(kAll, a[i], a[4 + i], 0xDD);
    b[8 + i] = _mm512_maskz_shuffle_f32x4(kAll, a[8 + i], a[12 + i], 0x88);
    b[12 + i] = _mm512_maskz_shuffle_f32x4(kAll, a[8 + i], a[12 + i], 0xDD);
  }
  for (int i = 0; i < 4; ++i) {
    _mm512_storeu_ps(to + i * to_stride, _mm512_maskz_shuffle_f32x4(kAll, b[i], b[8 + i], 0x88));
    _mm512_storeu_ps(to + (i + 8) * to_stride,
                     _mm512_maskz_shuffle_f32x4(kAll, b[i], b[8 + i], 0xDD));
    _mm512_storeu_ps(to + (i + 4) * to_stride,
                     _mm512_maskz_shuffle_f32x4(kAll, b[4 + i], b[12 + i], 0x88));
    _mm512_storeu_ps(to + (i + 12) * to_stride,
                     _mm512_maskz_shuffle_f32x4(kAll, b[4 + i], b[12 + i], 0xDD));
  }
}
#endif

}  // namespace lampyris
