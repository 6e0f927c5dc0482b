// Wide<float> of 8 lanes for cpu/wide.h.
#pragma once

namespace lampyris {
namespace {

struct WideMask {
  __m256 bits;  // all ones or all zeros a lane

  LAMPYRIS_INLINE uint32_t word() const { return static_cast<uint32_t>(_mm256_movemask_ps(bits)); }
  // One byte, the first lane in bit 0.
  LAMPYRIS_INLINE void store(uint8_t* to) const { *to = static_cast<uint8_t>(word()); }
  LAMPYRIS_INLINE friend WideMask operator&(WideMask a, WideMask b) {
    return {_mm256_and_ps(a.bits, b.bits)};
  }
  LAMPYRIS_INLINE friend WideMask operator&(WideMask a, bool b) {
    return b ? a : WideMask{_mm256_setzero_ps()};
  }
  LAMPYRIS_INLINE friend WideMask operator|(WideMask a, WideMask b) {
    return {_mm256_or_ps(a.bits, b.bits)};
  }
  LAMPYRIS_INLINE friend WideMask operator!(WideMask a) {
    return {_mm256_xor_ps(a.bits, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))};
  }
};

template <typename T>
struct Wide;

template <>
struct Wide<float> {
  static constexpr int64_t kCount = 8;
  __m256 v;

  LAMPYRIS_INLINE Wide() : v(_mm256_setzero_ps()) {}
  LAMPYRIS_INLINE Wide(__m256 lanes) : v(lanes) {}
  LAMPYRIS_INLINE Wide(float value) : v(_mm256_set1_ps(value)) {}

  LAMPYRIS_INLINE static Wide load(const float* from) { return _mm256_loadu_ps(from); }
  LAMPYRIS_INLINE static Wide load(const BFloat16* from) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  LAMPYRIS_INLINE static Wide load(const Float16* from) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
  }
  LAMPYRIS_INLINE void store(float* to) const { _mm256_storeu_ps(to, v); }
  LAMPYRIS_INLINE void stream(float* to) const { _mm256_stream_ps(to, v); }
  template <typename X>
  LAMPYRIS_INLINE void store(X* to) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), narrowed(to));
  }
  template <typename X>
  LAMPYRIS_INLINE void stream(X* to) const {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to), narrowed(to));
  }

  LAMPYRIS_INLINE friend Wide operator+(Wide a, Wide b) { return _mm256_add_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator-(Wide a, Wide b) { return _mm256_sub_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator*(Wide a, Wide b) { return _mm256_mul_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator/(Wide a, Wide b) { return _mm256_div_ps(a.v, b.v); }
  LAMPYRIS_INLINE friend Wide operator-(Wide a) {
    return _mm256_xor_ps(a.v, _mm256_set1_ps(-0.0F));
  }
  LAMPYRIS_INLINE friend WideMask operator<(Wide a, Wide b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)};
  }
  LAMPYRIS_INLINE friend WideMask operator>(Wide a, Wide b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)};
  }
  LAMPYRIS_INLINE friend WideMask operator>=(Wide a, Wide b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)};
  }
  LAMPYRIS_INLINE friend WideMask operator==(Wide a, Wide b) {
    return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)};
  }
  LAMPYRIS_INLINE friend Wide select(WideMask which, Wide yes, Wide no) {
    return _mm256_blendv_ps(no.v, yes.v, which.bits);
  }
  LAMPYRIS_INLINE friend Wide abs_of(Wide a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), a.v);
  }
  LAMPYRIS_INLINE friend Wide floor_of(Wide a) { return _mm256_floor_ps(a.v); }
  LAMPYRIS_INLINE friend Wide power_of_two(Wide shifted) {
    const __m256i bits = _mm256_slli_epi32(_mm256_castps_si256(shifted.v), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(bits, _mm256_set1_epi32(127 << 23)));
  }

 private:
  LAMPYRIS_INLINE __m128i narrowed(const Float16*) const {
    return _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  LAMPYRIS_INLINE __m128i narrowed(const BFloat16*) const {
    const __m256i bits = _mm256_castps_si256(v);
    const __m256i high = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    const __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7FFF)), odd);
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
    const __m256i out = _mm256_blendv_epi8(_mm256_srli_epi32(sum, 16), quiet, nan);
    return _mm_packus_epi32(_mm256_castsi256_si128(out), _mm256_extracti128_si256(out, 1));
  }
};

// The codes of up to four steps of each lane.
template <typename T>
struct WideCodes;

template <>
struct WideCodes<float> {
  __m256i bits;

  LAMPYRIS_INLINE WideCodes() : bits(_mm256_setzero_si256()) {}
  LAMPYRIS_INLINE WideCodes(__m256i lanes) : bits(lanes) {}
  LAMPYRIS_INLINE void add(int step, WideMask window, WideMask carry) {
    const int shift = kCodeBits * step;
    bits = _mm256_or_si256(bits, only(window, kCodeWindow << shift));
    bits = _mm256_or_si256(bits, only(carry, kCodeCarry << shift));
  }
  LAMPYRIS_INLINE WideMask window(int step) const { return test(kCodeWindow << kCodeBits * step); }
  LAMPYRIS_INLINE WideMask carry(int step) const { return test(kCodeCarry << kCodeBits * step); }
  LAMPYRIS_INLINE void store(uint8_t* to) const {
    const __m128i halves =
        _mm_packus_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(halves, halves));
  }
  LAMPYRIS_INLINE static WideCodes load(const uint8_t* from) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    return {_mm256_cvtepu8_epi32(bytes)};
  }

 private:
  LAMPYRIS_INLINE static __m256i only(WideMask mask, int bit) {
    return _mm256_and_si256(_mm256_castps_si256(mask.bits), _mm256_set1_epi32(bit));
  }
  LAMPYRIS_INLINE WideMask test(int bit) const {
    const __m256i one = _mm256_set1_epi32(bit);
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(bits, one), one))};
  }
};

LAMPYRIS_INLINE void stream_fence() { _mm_sfence(); }

}  // namespace
}  // namespace lampyris
