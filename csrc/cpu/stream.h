// Copies that go past the caches, for large results that nobody reads soon: no line is fetched
// before it is written. Only for memory whose pages exist (on fresh ones it is several times
// slower).
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/dispatch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

inline constexpr int64_t kStreamAlignment = 64;

// `to` is aligned to kStreamAlignment, count a multiple of 16.
template <class Target, typename T>
LAMPYRIS_INLINE void stream_copy(Target, const T* from, int64_t count, T* to) {
  std::copy_n(from, count, to);
}

// Orders the copies before whatever the thread writes next.
template <class Target>
LAMPYRIS_INLINE void stream_end(Target) {}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX2 inline void stream_copy(Avx2, const float* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; i += 8) _mm256_stream_ps(to + i, _mm256_loadu_ps(from + i));
}

LAMPYRIS_TARGET_AVX512 inline void stream_copy(Avx512, const float* from, int64_t count,
                                               float* to) {
  for (int64_t i = 0; i < count; i += 16) _mm512_stream_ps(to + i, _mm512_loadu_ps(from + i));
}

LAMPYRIS_INLINE void stream_end(Avx2) { _mm_sfence(); }
LAMPYRIS_INLINE void stream_end(Avx512) { _mm_sfence(); }
#endif

// Worth it from where results no longer fit caches; above 32 MiB glibc returns freed memory, so the
// pages would be fresh.
template <typename T>
LAMPYRIS_INLINE bool streams_well(const T* data, int64_t elements, int64_t row) {
  constexpr int64_t kLeast = int64_t{8} << 20, kMost = int64_t{32} << 20;
  const int64_t bytes = elements * static_cast<int64_t>(sizeof(T));
  return data != nullptr && bytes >= kLeast && bytes < kMost && row % kStreamAlignment == 0 &&
         reinterpret_cast<uintptr_t>(data) % kStreamAlignment == 0;
}

}  // namespace lampyris
