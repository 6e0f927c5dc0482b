// Runs: whole lanes in one row, four steps at once, where a target has its own form of the step.
#pragma once

#include <algorithm>

#include "cpu/dispatch.h"
#include "ops/lif/lif_block.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

// How many of `count` neurons from n on are whole lanes in one row of the view.
template <typename T>
LAMPYRIS_INLINE int64_t run_length(const StepView<T>& view, int64_t n, int64_t count) {
  if (view.data == nullptr) return 0;
  if (n + count > view.row) count = std::min(count, view.row - n % view.row);
  return count / kLifLane * kLifLane;
}

#if defined(__x86_64__)
inline constexpr int64_t kWide = 16;  // floats of a 512-bit register
// Zero-masking forms with every lane on: gcc 12 warns about the plain ones' undefined operand.
inline constexpr __mmask16 kAllLanes = 0xFFFF;

enum class Store { kNone, kPlain, kStream };

// A plain store also asks for the line that a later one of the same row writes.
template <Store kStore>
LAMPYRIS_TARGET_AVX512 LAMPYRIS_INLINE void store_wide(float* to, __m512 values) {
  static_assert(kStore != Store::kNone);
  if constexpr (kStore == Store::kStream) {
    _mm512_stream_ps(to, values);
  } else {
    __builtin_prefetch(to + kPrefetch, 1);
    _mm512_storeu_ps(to, values);
  }
}
#endif

}  // namespace lampyris
