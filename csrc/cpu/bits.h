// 32 values to one word and back, least significant bit first, and the 32 x 32 bit transposition.
#pragma once

#include <cstdint>
#include <cstring>

#include "cpu/dispatch.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace lampyris {

// Bit i is set where values[i] != 0 (NaN counts as set, -0.0 does not).
template <typename T>
LAMPYRIS_INLINE uint32_t pack_word(Baseline, const T* values) {
  uint32_t word = 0;
  for (int i = 0; i < 32; ++i) word |= static_cast<uint32_t>(values[i] != T(0)) << i;
  return word;
}

#if defined(__x86_64__)
template <typename T>
LAMPYRIS_INLINE uint32_t pack_word(Avx2, const T* values) {
  return pack_word(Baseline{}, values);
}

LAMPYRIS_TARGET_AVX2 inline uint32_t pack_word(Avx2, const float* values) {
  uint32_t word = 0;
  for (int i = 0; i < 4; ++i) {
    const __m256 lanes = _mm256_loadu_ps(values + 8 * i);
    const __m256 set = _mm256_cmp_ps(lanes, _mm256_setzero_ps(), _CMP_NEQ_UQ);
    word |= static_cast<uint32_t>(_mm256_movemask_ps(set)) << (8 * i);
  }
  return word;
}

LAMPYRIS_TARGET_AVX2 inline uint32_t pack_word(Avx2, const uint8_t* values) {
  const __m256i lanes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
  const __m256i zero = _mm256_cmpeq_epi8(lanes, _mm256_setzero_si256());
  return ~static_cast<uint32_t>(_mm256_movemask_epi8(zero));
}

template <typename T>
LAMPYRIS_INLINE uint32_t pack_word(Avx512, const T* values) {
  return pack_word(Baseline{}, values);
}

LAMPYRIS_TARGET_AVX512 inline uint32_t pack_word(Avx512, const float* values) {
  const __m512 zero = _mm512_setzero_ps();
  const __mmask16 low = _mm512_cmp_ps_mask(_mm512_loadu_ps(values), zero, _CMP_NEQ_UQ);
  const __mmask16 high = _mm512_cmp_ps_mask(_mm512_loadu_ps(values + 16), zero, _CMP_NEQ_UQ);
  // Not low | high << 16: gcc 12 spills a 16-bit mask to 2 bytes and reads back 4.
  return _cvtmask32_u32(_mm512_kunpackw(high, low));
}

LAMPYRIS_TARGET_AVX512 inline uint32_t pack_word(Avx512, const uint8_t* values) {
  const __m256i lanes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
  return _mm256_test_epi8_mask(lanes, lanes);
}
#endif

// values[i] = bit i, for i < 32.
template <typename T>
LAMPYRIS_INLINE void unpack_word(uint32_t word, T* values) {
  for (int i = 0; i < 32; ++i) values[i] = static_cast<T>((word >> i) & 1U);
}

// rows[i] bit j <-> rows[j] bit i.
LAMPYRIS_INLINE void transpose_bits(uint32_t rows[32]) {
  uint32_t mask = 0x0000FFFFU;
  for (int width = 16; width != 0; width >>= 1, mask ^= mask << width) {
    for (int block = 0; block < 32; block += 2 * width) {
      for (int k = block; k < block + width; ++k) {
        const uint32_t swap = ((rows[k] >> width) ^ rows[k + width]) & mask;
        rows[k] ^= swap << width;
        rows[k + width] ^= swap;
      }
    }
  }
}

// The same with the instructions of a target.
template <class Target>
LAMPYRIS_INLINE void transpose_bits(Target, uint32_t rows[32]) {
  transpose_bits(rows);
}

#if defined(__x86_64__)
LAMPYRIS_TARGET_AVX512 inline void transpose_bits(Avx512, uint32_t rows[32]) {
  const __m512i low = _mm512_loadu_si512(rows), high = _mm512_loadu_si512(rows + 16);
  for (int i = 0; i < 32; ++i) {
    const __m512i bit = _mm512_set1_epi32(static_cast<int>(1U << i));
    const __mmask16 first = _mm512_test_epi32_mask(low, bit);
    const __mmask16 second = _mm512_test_epi32_mask(high, bit);
    rows[i] = _cvtmask32_u32(_mm512_kunpackw(second, first));
  }
}
#endif

// The 32 bits that start at bit `offset` of a row of `words` words; bits past the end are 0.
LAMPYRIS_INLINE uint32_t read_bits(const uint32_t* row, int64_t words, int64_t offset) {
  const int64_t word = offset >> 5;
  const int shift = static_cast<int>(offset & 31);
  if (word >= words) return 0;
  const uint32_t low = row[word] >> shift;
  if (shift == 0 || word + 1 >= words) return low;
  return low | row[word + 1] << (32 - shift);
}

}  // namespace lampyris
