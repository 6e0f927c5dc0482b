// Wide<float> of 16 lanes for cpu/wide.h.
#pragma once

#include <cstring>

namespace lampyris {
namespace {

// Zero-masking forms with every lane on: gcc 12 warns about the plain ones' undefined operand.
inline constexpr __mmask16 kAllLanes = 0xFFFF;

struct WideMask {
  __mmask16 bits;

  LAMPYRIS_INLINE uint32_t word() const { return _cvtmask16_u32(bits); }
  // Two bytes, the first lane in bit 0.
  LAMPYRIS_INLINE void store(uint8_t* to) const { std::memcpy(to, &bits, sizeof(bits)); }
  LAMPYRIS_INLINE friend WideMask operator&(WideMask a, WideMask b) {
    return {_kand_mask16(a.bits, b.bits)};
  }
  LAMPYRIS_INLINE friend WideMask operator&(WideMask a, bool b) {
    return {_kand_mask16(a.bits, b ? kAllLanes : __mmask16{0})};
  }
  LAMPYRIS_INLINE friend WideMask operator|(WideMask a, WideMask b) {
    return {_kor_mask16(a.bits, b.bits)};
  }
  LAMPYRIS_INLINE friend WideMask operator!(WideMask a) { return {_knot_mask16(a.bits)}; }
};

template <typename T>
struct Wide;

template <>
struct Wide<float> {
  static constexpr int64_t kCount = 16;
  __m512 v;

  LAMPYRIS_INLINE Wide() : v(_mm512_setzero_ps()) {}
  LAMPYRIS_INLINE Wide(__m512 lanes) : v(lanes) {}
  LAMPYRIS_INLINE Wide(float value) : v(_mm512_set1_ps(value)) {}

  LAMPYRIS_INLINE static Wide load(const float* from) { return _mm512_loadu_ps(from); }
  LAMPYRIS_INLINE static Wide load(const BFloat16* from) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(kAllLanes, widen_bits(bits), 16));
  }
  LAMPYRIS_INLINE static Wide load(const Float16* from) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    return _mm512_maskz_cvtph_ps(kAllLanes, bits);
  }
  LAMPYRIS_INLINE void store(float* to) const { _mm512_storeu_ps(to, v); }
  LAMPYRIS_INLINE void stream(float* to) const { _mm512_stream_ps(to, v); }
  template <typename X>
  LAMPYRIS_INLINE void store(X* to) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrowed(to));
  }
  template <typename X>
  LAMPYRIS_INLINE void stream(X* to) const {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to), narrowed(to));
  }

  LAMPYRIS_INLINE friend Wide operator+(Wide a, Wide b) { return _mm512_add_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator-(Wide a, Wide b) { return _mm512_sub_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator*(Wide a, Wide b) { return _mm512_mul_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator/(Wide a, Wide b) { return _mm512_div_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator-(Wide a) {
    return _mm512_xor_ps(a.v, _mm512_set1_ps(-0.0F));
  }
  LAMPYRIS_INLINE friend WideMask operator<(Wide a, Wide b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
  }
  LAMPYRIS_INLINE friend WideMask operator>(Wide a, Wide b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)};
  }
  LAMPYRIS_INLINE friend WideMask operator>=(Wide a, Wide b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)};
  }
  LAMPYRIS_INLINE friend WideMask operator==(Wide a, Wide b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)};
  }
  LAMPYRIS_INLINE friend Wide select(WideMask which, Wide yes, Wide no) {
    return _mm512_mask_mov_ps(no.v, which.bits, yes.v);
  }
  LAMPYRIS_INLINE friend Wide abs_of(Wide a) {
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0F), a.v);
  }
  LAMPYRIS_INLINE friend Wide floor_of(Wide a) {
    return _mm512_maskz_roundscale_ps(kAllLanes, a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  LAMPYRIS_INLINE friend Wide power_of_two(Wide shifted) {
    const __m512i bits = _mm512_maskz_slli_epi32(kAllLanes, _mm512_castps_si512(shifted.v), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(bits, _mm512_set1_epi32(127 << 23)));
  }

 private:
  LAMPYRIS_INLINE static __m512i widen_bits(__m256i bits) {
    return _mm512_maskz_cvtepu16_epi32(kAllLanes, bits);
  }
  LAMPYRIS_INLINE __m256i narrowed(const Float16*) const {
    return _mm512_maskz_cvtps_ph(kAllLanes, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  LAMPYRIS_INLINE __m256i narrowed(const BFloat16*) const {
    const __m512i bits = _mm512_castps_si512(v);
    const __m512i high = _mm512_maskz_srli_epi32(kAllLanes, bits, 16);
    const __m512i odd = _mm512_and_epi32(high, _mm512_set1_epi32(1));
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF)), odd);
    const __m512i rounded = _mm512_maskz_srli_epi32(kAllLanes, sum, 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    const __m512i quiet = _mm512_or_epi32(high, _mm512_set1_epi32(0x40));
    return _mm512_maskz_cvtepi32_epi16(kAllLanes, _mm512_mask_mov_epi32(rounded, nan, quiet));
  }
};

// The codes of up to four steps of each lane.
template <typename T>
struct WideCodes;

template <>
struct WideCodes<float> {
  __m512i bits;

  LAMPYRIS_INLINE WideCodes() : bits(_mm512_setzero_si512()) {}
  LAMPYRIS_INLINE WideCodes(__m512i lanes) : bits(lanes) {}
  LAMPYRIS_INLINE void add(int step, WideMask window, WideMask carry) {
    const int shift = kCodeBits * step;
    bits = _mm512_mask_or_epi32(bits, window.bits, bits, _mm512_set1_epi32(kCodeWindow << shift));
    bits = _mm512_mask_or_epi32(bits, carry.bits, bits, _mm512_set1_epi32(kCodeCarry << shift));
  }
  LAMPYRIS_INLINE WideMask window(int step) const { return test(kCodeWindow << kCodeBits * step); }
  LAMPYRIS_INLINE WideMask carry(int step) const { return test(kCodeCarry << kCodeBits * step); }
  LAMPYRIS_INLINE void store(uint8_t* to) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_maskz_cvtepi32_epi8(kAllLanes, bits));
  }
  LAMPYRIS_INLINE static WideCodes load(const uint8_t* from) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return {_mm512_maskz_cvtepu8_epi32(kAllLanes, bytes)};
  }

 private:
  LAMPYRIS_INLINE WideMask test(int bit) const {
    return {_mm512_test_epi32_mask(bits, _mm512_set1_epi32(bit))};
  }
};

LAMPYRIS_INLINE void stream_fence() { _mm_sfence(); }

}  // namespace
}  // namespace lampyris
