// What event_graph does with a few events at a time: plain loops, and AVX-512 lanes. Arrays have room
// for kLanes entries behind what they hold.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cstdint>

#include "cpu/dispatch.h"

namespace lampyris {

inline constexpr int kLanes = 16;

// Appends the events of line[0..count) that are not below `oldest` and gives how many; up to kLanes
// are written behind them.
template <class Any>
LAMPYRIS_INLINE int keep_recent(Any, const int32_t* line, int count, int32_t oldest,
                                int32_t* out) {
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    out[kept] = line[i];
    kept += line[i] >= oldest;
  }
  return kept;
}

// Copies heads[0..count) to out and replaces them by the ones before them that are not below
// `oldest`; gives how many.
template <class Any>
LAMPYRIS_INLINE int step_back(Any, const int32_t* previous, int32_t* heads, int count,
                              int32_t oldest, int32_t* out) {
  int left = 0;
  for (int i = 0; i < count; ++i) {
    const int32_t before = previous[heads[i]];
    out[i] = heads[i];
    heads[left] = before;
    left += before >= oldest;
  }
  return left;
}

// The newest of events[0..count), all different, newest first, at most `limit` of them: out[k] = now
// - event. `rank` has room for count entries.
template <class Any>
LAMPYRIS_INLINE int rank_newest(Any, int32_t* events, int count, int32_t now, int limit,
                                int32_t* rank, int32_t* out) {
  for (int a = 0; a < count; ++a) {
    int32_t newer = 0;
    for (int b = 0; b < count; ++b) newer += events[b] > events[a];
    rank[a] = newer;
  }
  for (int a = 0; a < count; ++a) out[rank[a]] = now - events[a];
  return count < limit ? count : limit;
}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512 inline int keep_recent(Avx512, const int32_t* line, int count,
                                              int32_t oldest, int32_t* out) {
  int kept = 0;
  for (int i = 0; i < count; i += kLanes) {
    const auto lanes = static_cast<__mmask16>(count - i < kLanes ? (1 << (count - i)) - 1 : 0xFFFF);
    const __m512i events = _mm512_maskz_loadu_epi32(lanes, line + i);
    const __mmask16 recent = _mm512_mask_cmpge_epi32_mask(lanes, events, _mm512_set1_epi32(oldest));
    _mm512_storeu_si512(out + kept, _mm512_maskz_compress_epi32(recent, events));
    kept += __builtin_popcount(recent);
  }
  return kept;
}

// Writes behind heads[left] never reach what is still to be read: left <= i.
LAMPYRIS_TARGET_AVX512 inline int step_back(Avx512, const int32_t* previous, int32_t* heads,
                                            int count, int32_t oldest, int32_t* out) {
  int left = 0;
  for (int i = 0; i < count; i += kLanes) {
    const auto lanes = static_cast<__mmask16>(count - i < kLanes ? (1 << (count - i)) - 1 : 0xFFFF);
    const __m512i events = _mm512_loadu_si512(heads + i);
    _mm512_storeu_si512(out + i, events);
    const __m512i before =
        _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), lanes, events, previous, 4);
    const __mmask16 recent = _mm512_mask_cmpge_epi32_mask(lanes, before, _mm512_set1_epi32(oldest));
    _mm512_storeu_si512(heads + left, _mm512_maskz_compress_epi32(recent, before));
    left += __builtin_popcount(recent);
  }
  return left;
}

// The lanes count how many of all events are newer than theirs.
LAMPYRIS_TARGET_AVX512 inline int rank_newest(Avx512, int32_t* events, int count, int32_t now,
                                              int limit, int32_t* rank, int32_t* out) {
  constexpr int kAtOnce = 4;
  const __m512i one = _mm512_set1_epi32(1);
  for (int b = 0; b < kAtOnce; ++b) events[count + b] = -1;
  for (int a = 0; a < count; a += kLanes) {
    const __m512i own = _mm512_loadu_si512(events + a);
    __m512i newer = _mm512_setzero_si512();
    for (int b = 0; b < count; b += kAtOnce) {
      for (int k = 0; k < kAtOnce; ++k) {
        const __mmask16 above =
            _mm512_cmpgt_epi32_mask(_mm512_set1_epi32(events[b + k]), own);
        newer = _mm512_mask_add_epi32(newer, above, newer, one);
      }
    }
    _mm512_storeu_si512(rank + a, newer);
  }
  for (int a = 0; a < count; ++a) out[rank[a]] = now - events[a];
  return count < limit ? count : limit;
}
#endif

}  // namespace lampyris
