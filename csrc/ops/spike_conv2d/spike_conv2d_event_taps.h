// The inner loops of the event-driven weight gradient: sums of TY x TX taps of V vectors in
// registers over one list of events.
#pragma once

#include <cstdint>

#include "cpu/dispatch.h"

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

template <int TY, int TX, int V, class Target>
LAMPYRIS_INLINE void grad_taps(Target, const GradTaps& a) {
  constexpr int kLanes = 16 * V;
  for (int ty = 0; ty < TY; ++ty) {
    for (int tx = 0; tx < TX; ++tx) {
      float* to = a.sums + ty * a.next_row + tx * a.next_column;
      float sum[kLanes];
      for (int o = 0; o < kLanes; ++o) sum[o] = to[o];
      for (const int32_t* event = a.event; event < a.end; ++event) {
        const float* from = reinterpret_cast<const float*>(a.dy + *event - ty * a.row_bytes -
                                                           tx * a.pixel_bytes);
        for (int o = 0; o < kLanes; ++o) sum[o] += from[o];
      }
      for (int o = 0; o < kLanes; ++o) to[o] = sum[o];
    }
  }
}

#if defined(__x86_64__)
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
