// The dot products of spike_conv2d_window_cpu.cpp, one operand type and instruction set each.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "cpu/dispatch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define LAMPYRIS_TARGET_AVX512_BF16 \
  __attribute__((target("arch=x86-64-v4,avx512bf16,prefer-vector-width=512")))
#endif

namespace lampyris {

// Positions that share the loads of a weight: as many sums as hide the latency of an addition.
inline constexpr int kWindowGroup = 8;

// sums[g] = dot product of `weight` with what lies at grad + at[g], tap by tap: tap k of the weight
// is at channels k, of the gradient at offsets[k].
struct WindowTaps {
  const int64_t* offsets;
  int64_t taps, channels;
};

struct DotFloat {
  static constexpr bool kNarrow = false;
  using Element = float;
  using Tag = Baseline;

  LAMPYRIS_INLINE static void convert(const float* from, int64_t count, float* to) {
    std::copy_n(from, count, to);
  }

  LAMPYRIS_INLINE static void group(const float* grad, const int64_t* at, const float* weight,
                                    const WindowTaps& w, float* sums) {
    constexpr int kLanes = 8;
    float total[kWindowGroup][kLanes] = {};
    for (int64_t k = 0; k < w.taps; ++k) {
      for (int64_t c = 0; c < w.channels; c += kLanes) {
        for (int g = 0; g < kWindowGroup; ++g) {
          const float* d = grad + at[g] + w.offsets[k] + c;
          for (int i = 0; i < kLanes; ++i) total[g][i] += d[i] * weight[k * w.channels + c + i];
        }
      }
    }
    for (int g = 0; g < kWindowGroup; ++g) {
      sums[g] = 0;
      for (int i = 0; i < kLanes; ++i) sums[g] += total[g][i];
    }
  }
};

#if defined(__x86_64__)
struct DotAvx2 {
  static constexpr bool kNarrow = false;
  using Element = float;
  using Tag = Avx2;

  LAMPYRIS_INLINE static void convert(const float* from, int64_t count, float* to) {
    std::copy_n(from, count, to);
  }

  LAMPYRIS_TARGET_AVX2 static void group(const float* grad, const int64_t* at,
                                                         const float* weight, const WindowTaps& w,
                                                         float* sums) {
    constexpr int64_t kLanes = 8;
    __m256 total[kWindowGroup];
#pragma GCC unroll 8
    for (int g = 0; g < kWindowGroup; ++g) total[g] = _mm256_setzero_ps();
    for (int64_t k = 0; k < w.taps; ++k) {
      const float* d = grad + w.offsets[k];
      for (int64_t c = 0; c < w.channels; c += kLanes, weight += kLanes) {
        const __m256 row = _mm256_loadu_ps(weight);
#pragma GCC unroll 8
        for (int g = 0; g < kWindowGroup; ++g) {
          total[g] = _mm256_fmadd_ps(_mm256_loadu_ps(d + at[g] + c), row, total[g]);
        }
      }
    }
    const __m256 a = _mm256_hadd_ps(_mm256_hadd_ps(total[0], total[1]),
                                    _mm256_hadd_ps(total[2], total[3]));
    const __m256 b = _mm256_hadd_ps(_mm256_hadd_ps(total[4], total[5]),
                                    _mm256_hadd_ps(total[6], total[7]));
    _mm256_storeu_ps(sums, _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20),
                                         _mm256_permute2f128_ps(a, b, 0x31)));
  }
};

// The 8 sums of 16 lanes each.
LAMPYRIS_TARGET_AVX512 LAMPYRIS_INLINE void store_sums(const __m512* total, float* sums) {
  __m256 half[kWindowGroup];
#pragma GCC unroll 8
  for (int g = 0; g < kWindowGroup; ++g) {
    const __m512 high = _mm512_maskz_shuffle_f32x4(0xFFFF, total[g], total[g], 0x4E);
    half[g] = _mm512_maskz_extractf32x8_ps(0xFF, _mm512_add_ps(total[g], high), 0);
  }
  const __m256 a = _mm256_hadd_ps(_mm256_hadd_ps(half[0], half[1]),
                                  _mm256_hadd_ps(half[2], half[3]));
  const __m256 b = _mm256_hadd_ps(_mm256_hadd_ps(half[4], half[5]),
                                  _mm256_hadd_ps(half[6], half[7]));
  _mm256_storeu_ps(sums, _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20),
                                       _mm256_permute2f128_ps(a, b, 0x31)));
}

struct DotAvx512 {
  static constexpr bool kNarrow = false;
  using Element = float;
  using Tag = Avx512;

  LAMPYRIS_INLINE static void convert(const float* from, int64_t count, float* to) {
    std::copy_n(from, count, to);
  }

  LAMPYRIS_TARGET_AVX512 static void group(const float* grad, const int64_t* at,
                                                           const float* weight,
                                                           const WindowTaps& w, float* sums) {
    constexpr int64_t kLanes = 16;
    __m512 total[kWindowGroup];
    const float* d[kWindowGroup];
#pragma GCC unroll 8
    for (int g = 0; g < kWindowGroup; ++g) {
      total[g] = _mm512_setzero_ps();
      d[g] = grad + at[g];
    }
    for (int64_t k = 0; k < w.taps; ++k) {
      const int64_t end = w.offsets[k] + w.channels;
      for (int64_t c = w.offsets[k]; c < end; c += kLanes, weight += kLanes) {
        const __m512 row = _mm512_loadu_ps(weight);
#pragma GCC unroll 8
        for (int g = 0; g < kWindowGroup; ++g) {
          total[g] = _mm512_fmadd_ps(_mm512_loadu_ps(d[g] + c), row, total[g]);
        }
      }
    }
    store_sums(total, sums);
  }
};

// Products of bfloat16 pairs; the operands are rounded to nearest, ties to even.
struct DotBfloat16 {
  static constexpr bool kNarrow = true;
  using Element = uint16_t;
  using Tag = Avx512;

  LAMPYRIS_TARGET_AVX512_BF16 static void convert(const float* from, int64_t count,
                                                                  uint16_t* to) {
    constexpr int64_t kLanes = 16;
    int64_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
      const __m256bh rounded = _mm512_maskz_cvtneps_pbh(0xFFFF, _mm512_loadu_ps(from + i));
      std::memcpy(to + i, &rounded, sizeof(rounded));
    }
    if (i == count) return;
    const auto rest = static_cast<__mmask16>((1 << (count - i)) - 1);
    const __m256bh rounded = _mm512_maskz_cvtneps_pbh(rest, _mm512_maskz_loadu_ps(rest, from + i));
    std::memcpy(to + i, &rounded, static_cast<size_t>(count - i) * sizeof(uint16_t));
  }

  LAMPYRIS_TARGET_AVX512_BF16 LAMPYRIS_INLINE static __m512bh load(const uint16_t* from) {
    return std::bit_cast<__m512bh>(_mm512_loadu_si512(from));
  }

  LAMPYRIS_TARGET_AVX512_BF16 static void group(const uint16_t* grad,
                                                                const int64_t* at,
                                                                const uint16_t* weight,
                                                                const WindowTaps& w, float* sums) {
    constexpr int64_t kLanes = 32;
    __m512 total[kWindowGroup];
    const uint16_t* d[kWindowGroup];
#pragma GCC unroll 8
    for (int g = 0; g < kWindowGroup; ++g) {
      total[g] = _mm512_setzero_ps();
      d[g] = grad + at[g];
    }
    for (int64_t k = 0; k < w.taps; ++k) {
      const int64_t end = w.offsets[k] + w.channels;
      for (int64_t c = w.offsets[k]; c < end; c += kLanes, weight += kLanes) {
        const __m512bh row = load(weight);
#pragma GCC unroll 8
        for (int g = 0; g < kWindowGroup; ++g) {
          total[g] = _mm512_dpbf16_ps(total[g], load(d[g] + c), row);
        }
      }
    }
    store_sums(total, sums);
  }
};
#endif

}  // namespace lampyris
