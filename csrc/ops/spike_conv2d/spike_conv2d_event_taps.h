// The inner loops of the event-driven weight gradient: sums of TY x TX taps of V vectors in
// registers over one list of events.
#pragma once

#include <cstdint>

#include "cpu/dispatch.h"
#include "cpu/float4.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

struct GradTaps {
  const int32_t *event, *end;  // byte offsets into dY
  const char* dy;              // of tap (0, 0); further taps lie before it
  int64_t row_bytes, pixel_bytes;
  float* sums;  // of tap (0, 0)
  int64_t next_row, next_column;  // floats between the sums of taps
};

// One tap at a time: 32 lanes are 8 registers.
template <int TY, int TX, int V, class Target>
LAMPYRIS_INLINE void grad_taps(Target, const GradTaps& a) {
  constexpr int kVectors = V == 1 ? 4 : 8;
  for (int tap = 0; tap < TY * TX * (4 * V / kVectors); ++tap) {
    const int first = tap / (TY * TX) * 4 * kVectors, ty = tap / TX % TY, tx = tap % TX;
    float* to = a.sums + ty * a.next_row + tx * a.next_column + first;
    const char* dy = a.dy - ty * a.row_bytes - tx * a.pixel_bytes;
    Float4 sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = load4(to + 4 * v);
    for (const int32_t* event = a.event; event < a.end; ++event) {
      const float* from = reinterpret_cast<const float*>(dy + *event) + first;
      for (int v = 0; v < kVectors; ++v) sum[v] += load4(from + 4 * v);
    }
    for (int v = 0; v < kVectors; ++v) store4(to + 4 * v, sum[v]);
  }
}

#if defined(__x86_64__)
// One row of up to 3 taps at a time: 32 lanes of 3 taps are 12 registers.
template <int TY, int TX, int V>
LAMPYRIS_TARGET_AVX2 inline void grad_taps(Avx2, const GradTaps& a) {
  constexpr int kVectors = V == 1 ? 2 : 4, kTaps = TX < 3 ? TX : 3;
  for (int first = 0; first < 16 * V; first += 8 * kVectors) {
    for (int ty = 0; ty < TY; ++ty) {
      for (int left = 0; left < TX; left += kTaps) {
        float* to = a.sums + ty * a.next_row + left * a.next_column + first;
        const char* dy = a.dy - ty * a.row_bytes - left * a.pixel_bytes;
        __m256 sum[kTaps][kVectors];
        for (int tx = 0; tx < kTaps && left + tx < TX; ++tx) {
          for (int v = 0; v < kVectors; ++v) {
            sum[tx][v] = _mm256_loadu_ps(to + tx * a.next_column + 8 * v);
          }
        }
        for (const int32_t* event = a.event; event < a.end; ++event) {
          const float* row = reinterpret_cast<const float*>(dy + *event) + first;
          for (int tx = 0; tx < kTaps && left + tx < TX; ++tx, row -= 16 * V) {
            for (int v = 0; v < kVectors; ++v) {
              sum[tx][v] = _mm256_add_ps(sum[tx][v], _mm256_loadu_ps(row + 8 * v));
            }
          }
        }
        for (int tx = 0; tx < kTaps && left + tx < TX; ++tx) {
          for (int v = 0; v < kVectors; ++v) {
            _mm256_storeu_ps(to + tx * a.next_column + 8 * v, sum[tx][v]);
          }
        }
      }
    }
  }
}

template <int TY, int TX, int V>
LAMPYRIS_TARGET_AVX512 inline void grad_taps(Avx512, const GradTaps& a) {
  __m512 sum[TY][TX][V];
  for (int ty = 0; ty < TY; ++ty) {
    for (int tx = 0; tx < TX; ++tx) {
      const float* from = a.sums + ty * a.next_row + tx * a.next_column;
      for (int v = 0; v < V; ++v) sum[ty][tx][v] = _mm512_loadu_ps(from + 16 * v);
    }
  }
  for (const int32_t* event = a.event; event < a.end; ++event) {
    const char* row = a.dy + *event;
    for (int ty = 0; ty < TY; ++ty, row -= a.row_bytes) {
      for (int tx = 0; tx < TX; ++tx) {
        for (int v = 0; v < V; ++v) {
          sum[ty][tx][v] =
              _mm512_add_ps(sum[ty][tx][v], _mm512_loadu_ps(row - tx * 64 * V + 64 * v));
        }
      }
    }
  }
  for (int ty = 0; ty < TY; ++ty) {
    for (int tx = 0; tx < TX; ++tx) {
      float* to = a.sums + ty * a.next_row + tx * a.next_column;
      for (int v = 0; v < V; ++v) _mm512_storeu_ps(to + 16 * v, sum[ty][tx][v]);
    }
  }
}
#endif

}  // namespace lampyris
