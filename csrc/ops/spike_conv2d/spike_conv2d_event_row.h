// The inner loops of the event-driven convolution for each instruction set: one kernel row of one
// block of output channels along one row of output pixels.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "cpu/dispatch.h"
#include "cpu/float4.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

struct EventRow {
  const int32_t* events;   // byte offsets
  const int32_t* offsets;  // events before each padded pixel of the input row
  int64_t pixels, stride, kernel_width;
  const char* weights;  // of this block and kernel row; moves back by `step` bytes each pixel
  int64_t step;
  const float* from;  // start values: the bias (from_step 0) or the sums so far
  int64_t from_step;
  float* out;
  int64_t out_step;
  int64_t channels;  // written, of the 16 V lanes
};

// Appends offset base + step i for every set bit i; may write 16 elements past the end.
LAMPYRIS_INLINE int32_t* append_events(Baseline, uint32_t bits, int32_t base, int32_t step,
                                       int32_t* out) {
  for (; bits != 0; bits &= bits - 1) *out++ = base + step * std::countr_zero(bits);
  return out;
}

// The same with offset base + table[i].
LAMPYRIS_INLINE int32_t* append_offsets(Baseline, uint32_t bits, const int32_t* table,
                                        int32_t base, int32_t* out) {
  for (; bits != 0; bits &= bits - 1) *out++ = base + table[std::countr_zero(bits)];
  return out;
}

template <int V>
LAMPYRIS_INLINE void event_row(Baseline, EventRow a) {
  constexpr int kLanes = 16 * V;
  float edge[kLanes] = {};
  const size_t bytes = static_cast<size_t>(a.channels) * sizeof(float);
  for (int64_t x = 0; x < a.pixels; ++x) {
    std::memcpy(edge, a.from, bytes);
    const int32_t* event = a.events + a.offsets[x * a.stride];
    const int32_t* end = a.events + a.offsets[x * a.stride + a.kernel_width];
    // 8 vectors at a time: more would not stay in registers.
    for (int first = 0; first < kLanes; first += 32) {
      constexpr int kVectors = V == 1 ? 4 : 8;
      const int vectors = std::min(kVectors, (kLanes - first) / 4);
      Float4 sum[kVectors];
      for (int v = 0; v < kVectors; ++v) {
        sum[v] = v < vectors ? load4(edge + first + 4 * v) : Float4{};
      }
      for (const int32_t* e = event; e < end; ++e) {
        const float* row = reinterpret_cast<const float*>(a.weights + *e) + first;
        for (int v = 0; v < kVectors; ++v) {
          if (v < vectors) sum[v] += load4(row + 4 * v);
        }
      }
      for (int v = 0; v < kVectors; ++v) {
        if (v < vectors) store4(edge + first + 4 * v, sum[v]);
      }
    }
    std::memcpy(a.out, edge, bytes);
    a.from += a.from_step;
    a.out += a.out_step;
    a.weights -= a.step;
  }
}

#if defined(__x86_64__)
LAMPYRIS_INLINE int32_t* append_events(Avx2, uint32_t bits, int32_t base, int32_t step,
                                       int32_t* out) {
  return append_events(Baseline{}, bits, base, step, out);
}

LAMPYRIS_INLINE int32_t* append_offsets(Avx2, uint32_t bits, const int32_t* table, int32_t base,
                                        int32_t* out) {
  return append_offsets(Baseline{}, bits, table, base, out);
}

// 8 independent sums at V = 4 hide the latency of an addition.
template <int V>
LAMPYRIS_TARGET_AVX2 inline void event_row(Avx2, EventRow a) {
  constexpr int kVectors = 2 * V;
  float edge[16 * V] = {};
  const size_t bytes = static_cast<size_t>(a.channels) * sizeof(float);
  const bool whole = a.channels == 16 * V;
  for (int64_t x = 0; x < a.pixels; ++x) {
    const float* from = a.from;
    if (!whole) from = static_cast<const float*>(std::memcpy(edge, a.from, bytes));
    __m256 sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = _mm256_loadu_ps(from + 8 * v);
    const int32_t* event = a.events + a.offsets[x * a.stride];
    const int32_t* end = a.events + a.offsets[x * a.stride + a.kernel_width];
    for (; event < end; ++event) {
      const float* row = reinterpret_cast<const float*>(a.weights + *event);
      for (int v = 0; v < kVectors; ++v) {
        sum[v] = _mm256_add_ps(sum[v], _mm256_loadu_ps(row + 8 * v));
      }
    }
    float* out = whole ? a.out : edge;
    for (int v = 0; v < kVectors; ++v) _mm256_storeu_ps(out + 8 * v, sum[v]);
    if (!whole) std::memcpy(a.out, edge, bytes);
    a.from += a.from_step;
    a.out += a.out_step;
    a.weights -= a.step;
  }
}

// Compressed in a register: the store form is microcoded on some processors.
LAMPYRIS_TARGET_AVX512 inline int32_t* append_selected(uint32_t bits, __m512i low, __m512i high,
                                                       int32_t* out) {
  const uint32_t first = bits & 0xFFFFU, second = bits >> 16;
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(static_cast<__mmask16>(first), low));
  out += std::popcount(first);
  _mm512_storeu_si512(out, _mm512_maskz_compress_epi32(static_cast<__mmask16>(second), high));
  return out + std::popcount(second);
}

LAMPYRIS_TARGET_AVX512 inline int32_t* append_events(Avx512, uint32_t bits, int32_t base,
                                                     int32_t step, int32_t* out) {
  const __m512i lanes =
      _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i low = _mm512_add_epi32(_mm512_set1_epi32(base),
                                       _mm512_mullo_epi32(lanes, _mm512_set1_epi32(step)));
  return append_selected(bits, low, _mm512_add_epi32(low, _mm512_set1_epi32(16 * step)), out);
}

LAMPYRIS_TARGET_AVX512 inline int32_t* append_offsets(Avx512, uint32_t bits, const int32_t* table,
                                                      int32_t base, int32_t* out) {
  const __m512i shift = _mm512_set1_epi32(base);
  return append_selected(bits, _mm512_add_epi32(_mm512_loadu_si512(table), shift),
                         _mm512_add_epi32(_mm512_loadu_si512(table + 16), shift), out);
}

// Two sets of sums hide the latency of an addition.
template <int V>
LAMPYRIS_TARGET_AVX512 inline void event_row(Avx512, EventRow a) {
  const int64_t rest = a.channels - 16 * (V - 1);
  const __mmask16 last = static_cast<__mmask16>((1U << rest) - 1);
  for (int64_t x = 0; x < a.pixels; ++x) {
    __m512 even[V], odd[V];
    for (int v = 0; v < V - 1; ++v) even[v] = _mm512_loadu_ps(a.from + 16 * v);
    even[V - 1] = _mm512_maskz_loadu_ps(last, a.from + 16 * (V - 1));
    for (int v = 0; v < V; ++v) odd[v] = _mm512_setzero_ps();
    const int32_t* event = a.events + a.offsets[x * a.stride];
    const int32_t* end = a.events + a.offsets[x * a.stride + a.kernel_width];
    for (; event + 1 < end; event += 2) {
      const char* first = a.weights + event[0];
      const char* second = a.weights + event[1];
      for (int v = 0; v < V; ++v) even[v] = _mm512_add_ps(even[v], _mm512_loadu_ps(first + 64 * v));
      for (int v = 0; v < V; ++v) odd[v] = _mm512_add_ps(odd[v], _mm512_loadu_ps(second + 64 * v));
    }
    if (event < end) {
      const char* first = a.weights + event[0];
      for (int v = 0; v < V; ++v) even[v] = _mm512_add_ps(even[v], _mm512_loadu_ps(first + 64 * v));
    }
    for (int v = 0; v < V; ++v) even[v] = _mm512_add_ps(even[v], odd[v]);
    for (int v = 0; v < V - 1; ++v) _mm512_storeu_ps(a.out + 16 * v, even[v]);
    _mm512_mask_storeu_ps(a.out + 16 * (V - 1), last, even[V - 1]);
    a.from += a.from_step;
    a.out += a.out_step;
    a.weights -= a.step;
  }
}
#endif

}  // namespace lampyris
