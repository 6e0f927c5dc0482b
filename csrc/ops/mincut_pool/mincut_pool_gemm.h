// Small dense products for tall and thin operands, on the vectors of cpu/wide.h: C = A B or C += A B
// with A read at any two strides (so also transposed), B and C row-major.
#pragma once

#include "cpu/wide.h"

namespace lampyris {
namespace {

#if defined(__x86_64__) && defined(LAMPYRIS_WIDE) && LAMPYRIS_WIDE == 512
constexpr int kGemmRows = 12;  // 24 sums, 2 vectors of B and a factor in 32 registers

LAMPYRIS_INLINE Wide<float> madd(Wide<float> a, Wide<float> b, Wide<float> c) {
  return _mm512_fmadd_ps(a.v, b.v, c.v);
}
LAMPYRIS_INLINE Wide<float> load_part(const float* from, int64_t count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1), from);
}
LAMPYRIS_INLINE void store_part(Wide<float> value, float* to, int64_t count) {
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1U << count) - 1), value.v);
}
#elif defined(__x86_64__) && defined(LAMPYRIS_WIDE)
constexpr int kGemmRows = 6;  // 12 sums, 2 vectors of B and a factor in 16 registers

LAMPYRIS_INLINE __m256i first_lanes(int64_t count) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
}
LAMPYRIS_INLINE Wide<float> madd(Wide<float> a, Wide<float> b, Wide<float> c) {
  return _mm256_fmadd_ps(a.v, b.v, c.v);
}
LAMPYRIS_INLINE Wide<float> load_part(const float* from, int64_t count) {
  return _mm256_maskload_ps(from, first_lanes(count));
}
LAMPYRIS_INLINE void store_part(Wide<float> value, float* to, int64_t count) {
  _mm256_maskstore_ps(to, first_lanes(count), value.v);
}
#else
constexpr int kGemmRows = 6;

template <typename T>
LAMPYRIS_INLINE Wide<T> madd(Wide<T> a, Wide<T> b, Wide<T> c) {
  return a * b + c;
}
template <typename T>
LAMPYRIS_INLINE Wide<T> load_part(const T* from, int64_t count) {
  T lanes[Wide<T>::kCount] = {};
  for (int64_t i = 0; i < count; ++i) lanes[i] = from[i];
  return Wide<T>::load(lanes);
}
template <typename T>
LAMPYRIS_INLINE void store_part(Wide<T> value, T* to, int64_t count) {
  T lanes[Wide<T>::kCount];
  value.store(lanes);
  for (int64_t i = 0; i < count; ++i) to[i] = lanes[i];
}
#endif

template <bool kPart, typename T>
LAMPYRIS_INLINE Wide<T> load_lanes(const T* from, int64_t count) {
  if constexpr (kPart) return load_part(from, count);
  return Wide<T>::load(from);
}

template <bool kPart, typename T>
LAMPYRIS_INLINE void store_lanes(Wide<T> value, T* to, int64_t count) {
  if constexpr (kPart) return store_part(value, to, count);
  value.store(to);
}

constexpr int64_t kGemmFew = 4;

// The sum of all lanes, in order.
template <typename T>
LAMPYRIS_INLINE double lane_sum(Wide<T> value) {
  T lanes[Wide<T>::kCount];
  value.store(lanes);
  double sum = 0;
  for (const T lane : lanes) sum += static_cast<double>(lane);
  return sum;
}

template <typename T>
struct GemmInput {
  const T* data;
  int64_t row, column;  // strides of A
};

// kM rows by kN vectors, the last of `tail` lanes when kPart.
template <int kM, int kN, bool kPart, typename T>
LAMPYRIS_WIDE_TARGET __attribute__((noinline)) void gemm_tile(int64_t depth, GemmInput<T> a,
                                                              const T* b, int64_t ldb, T* c,
                                                              int64_t ldc, int64_t tail, bool add) {
  constexpr int64_t kCount = Wide<T>::kCount;
  Wide<T> sum[kM][kN];
  if (add) {
#pragma GCC unroll 16
    for (int m = 0; m < kM; ++m) {
#pragma GCC unroll 2
      for (int n = 0; n < kN; ++n) {
        sum[m][n] = n + 1 < kN ? Wide<T>::load(c + m * ldc + n * kCount)
                               : load_lanes<kPart>(c + m * ldc + n * kCount, tail);
      }
    }
  }
  for (int64_t p = 0; p < depth; ++p) {
    Wide<T> row[kN];
#pragma GCC unroll 2
    for (int n = 0; n < kN; ++n) {
      row[n] = n + 1 < kN ? Wide<T>::load(b + p * ldb + n * kCount)
                          : load_lanes<kPart>(b + p * ldb + n * kCount, tail);
    }
    const T* const column = a.data + p * a.column;
#pragma GCC unroll 16
    for (int m = 0; m < kM; ++m) {
      const Wide<T> factor(column[m * a.row]);
#pragma GCC unroll 2
      for (int n = 0; n < kN; ++n) sum[m][n] = madd(factor, row[n], sum[m][n]);
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < kM; ++m) {
#pragma GCC unroll 2
    for (int n = 0; n < kN; ++n) {
      if (n + 1 < kN) {
        sum[m][n].store(c + m * ldc + n * kCount);
      } else {
        store_lanes<kPart>(sum[m][n], c + m * ldc + n * kCount, tail);
      }
    }
  }
}

template <int kM, typename T>
LAMPYRIS_INLINE void gemm_rows(int64_t columns, int64_t depth, GemmInput<T> a, const T* b,
                               int64_t ldb, T* c, int64_t ldc, bool add) {
  constexpr int64_t kCount = Wide<T>::kCount;
  int64_t n = 0;
  for (; n + 2 * kCount <= columns; n += 2 * kCount) {
    gemm_tile<kM, 2, false>(depth, a, b + n, ldb, c + n, ldc, kCount, add);
  }
  const int64_t left = columns - n;
  if (left == 0) return;
  if (left == kCount) return gemm_tile<kM, 1, false>(depth, a, b + n, ldb, c + n, ldc, left, add);
  if (left < kCount) return gemm_tile<kM, 1, true>(depth, a, b + n, ldb, c + n, ldc, left, add);
  gemm_tile<kM, 2, true>(depth, a, b + n, ldb, c + n, ldc, left - kCount, add);
}

// C [rows, columns] of A [rows, depth] and B [depth, columns].
template <typename T>
LAMPYRIS_WIDE_TARGET void gemm(int64_t rows, int64_t columns, int64_t depth, GemmInput<T> a,
                               const T* b, int64_t ldb, T* c, int64_t ldc, bool add) {
  while (rows > 0) {
    const int64_t done = rows >= kGemmRows ? kGemmRows : rows >= kGemmFew ? kGemmFew : 1;
    if (done == kGemmRows) {
      gemm_rows<kGemmRows>(columns, depth, a, b, ldb, c, ldc, add);
    } else if (done == kGemmFew) {
      gemm_rows<kGemmFew>(columns, depth, a, b, ldb, c, ldc, add);
    } else {
      gemm_rows<1>(columns, depth, a, b, ldb, c, ldc, add);
    }
    rows -= done;
    a.data += done * a.row;
    c += done * ldc;
  }
}

}  // namespace
}  // namespace lampyris
