// forward_run(): four steps of a run. AVX-512 has neuron_step() of core/neuron.h in intrinsics, bit
// for bit: gcc 12 turns the scalar form into code of half the speed.
#pragma once

#include "ops/lif/lif_run.h"

namespace lampyris {

// Steps t to t + 3 of the neurons from first + o on, at most `count`; returns how many it did.
template <Reset kReset, Rounding kRounding, typename T, class Target>
LAMPYRIS_INLINE int64_t forward_run(Target, const LifForward<T>&, const ConstantsBlock<T>&, T*,
                                    int64_t, int64_t, int64_t, int64_t, bool) {
  return 0;
}

#if defined(__x86_64__)

// floor_saturate(); returns fits_membrane().
LAMPYRIS_TARGET_AVX512 LAMPYRIS_INLINE __mmask16 floor_saturate_wide(__m512& u) {
  const __m512 low = _mm512_set1_ps(static_cast<float>(kMembraneMin));
  const __m512 high = _mm512_set1_ps(static_cast<float>(kMembraneMax));
  const __m512 above = _mm512_set1_ps(static_cast<float>(kMembraneMax) + 1.0F);
  const __mmask16 inside =
      _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask(u, low, _CMP_GE_OQ), u, above, _CMP_LT_OQ);
  u = _mm512_mask_mov_ps(u, _mm512_cmp_ps_mask(u, low, _CMP_LT_OQ), low);
  u = _mm512_mask_mov_ps(u, _mm512_cmp_ps_mask(u, high, _CMP_GT_OQ), high);
  u = _mm512_maskz_roundscale_ps(kAllLanes, u, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  return inside;
}

struct WideConstants {
  __m512 decay, threshold, gain, half_width;
};

LAMPYRIS_TARGET_AVX512 LAMPYRIS_INLINE WideConstants load_wide(const ConstantsBlock<float>& c,
                                                               int64_t o) {
  return {_mm512_load_ps(c.decay.lane(o)), _mm512_load_ps(c.threshold.lane(o)),
          _mm512_load_ps(c.gain.lane(o)), _mm512_load_ps(c.half_width.lane(o))};
}

// neuron_step() of 16 neurons: returns the spikes; in `codes`, which start as initial_codes(), it
// flips the bits of step j that differ.
template <Reset kReset, Rounding kRounding, bool kInclusive>
LAMPYRIS_TARGET_AVX512 LAMPYRIS_INLINE __mmask16 step_wide(__m512 x, const WideConstants& c,
                                                           __m512 v_reset, int j, __m512& v,
                                                           __m512i& codes) {
  const __m512 kept = _mm512_mul_ps(c.decay, _mm512_sub_ps(v, v_reset));
  __m512 u = _mm512_add_ps(_mm512_add_ps(v_reset, kept), _mm512_mul_ps(c.gain, x));
  __mmask16 inside = kAllLanes;
  if constexpr (kRounding == Rounding::kFloor) inside = floor_saturate_wide(u);
  const __mmask16 spike = _mm512_cmp_ps_mask(u, c.threshold, kInclusive ? _CMP_GE_OQ : _CMP_GT_OQ);
  const __m512 distance = _mm512_andnot_ps(_mm512_set1_ps(-0.0F), _mm512_sub_ps(u, c.threshold));
  const __mmask16 window = _mm512_mask_cmp_ps_mask(inside, distance, c.half_width, _CMP_LT_OQ);
  __mmask16 stops = kReset == Reset::kHard ? spike : __mmask16{0};
  if constexpr (kRounding == Rounding::kFloor) stops = _kor_mask16(stops, _knot_mask16(inside));
  const int shift = kCodeBits * j;
  codes = _mm512_mask_xor_epi32(codes, window, codes, _mm512_set1_epi32(kCodeWindow << shift));
  codes = _mm512_mask_xor_epi32(codes, stops, codes, _mm512_set1_epi32(kCodeCarry << shift));
  v = kReset == Reset::kHard ? _mm512_mask_mov_ps(u, spike, v_reset)
                             : _mm512_mask_sub_ps(u, spike, u, c.threshold);
  return spike;
}

// Every step carries, no window is open.
constexpr int initial_codes() {
  int codes = 0;
  for (int j = 0; j < kStepsPerByte; ++j) codes |= kCodeCarry << (kCodeBits * j);
  return codes;
}

template <Reset kReset, Rounding kRounding, bool kInclusive, Store kStore>
LAMPYRIS_TARGET_AVX512 inline void forward_wide(const LifForward<float>& a,
                                                const ConstantsBlock<float>& c, float* membrane,
                                                int64_t t, int64_t n, int64_t o, int64_t count) {
  const __m512 one = _mm512_set1_ps(1.0F), v_reset = _mm512_set1_ps(a.v_reset);
  const int64_t neurons = a.neurons, words = (neurons + 31) / 32;
  const float* x[kStepsPerByte];
  for (int j = 0; j < kStepsPerByte; ++j) x[j] = &a.x.at(t + j, n);
  float* const spikes = kStore == Store::kNone ? nullptr : a.spikes + t * neurons + n;
  uint32_t* const plane = a.plane == nullptr ? nullptr : a.plane + t * words + n / 32;
  uint8_t* const code = a.codes == nullptr ? nullptr : a.codes + t / kStepsPerByte * neurons + n;
  for (int64_t i = 0; i < count; i += 2 * kWide) {
    const WideConstants constants[2] = {load_wide(c, o + i), load_wide(c, o + i + kWide)};
    float* const state = membrane + o + i;
    __m512 v[2] = {_mm512_load_ps(state), _mm512_load_ps(state + kWide)};
    __m512i bits[2] = {_mm512_set1_epi32(initial_codes()), _mm512_set1_epi32(initial_codes())};
    __mmask16 fired[kStepsPerByte][2];
#pragma GCC unroll 4
    for (int j = 0; j < kStepsPerByte; ++j) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const int64_t k = i + half * kWide;
        __builtin_prefetch(x[j] + k + kPrefetch, 0);
        fired[j][half] = step_wide<kReset, kRounding, kInclusive>(
            _mm512_loadu_ps(x[j] + k), constants[half], v_reset, j, v[half], bits[half]);
        if constexpr (kStore != Store::kNone) {
          store_wide<kStore>(spikes + j * neurons + k, _mm512_maskz_mov_ps(fired[j][half], one));
        }
      }
    }
    for (int half = 0; half < 2; ++half) {
      _mm512_store_ps(state + half * kWide, v[half]);
      if (code == nullptr) continue;
      _mm_storeu_si128(reinterpret_cast<__m128i*>(code + i + half * kWide),
                       _mm512_maskz_cvtepi32_epi8(kAllLanes, bits[half]));
    }
    if (plane == nullptr) continue;
#pragma GCC unroll 4
    for (int j = 0; j < kStepsPerByte; ++j) {
      plane[j * words + i / 32] = _cvtmask32_u32(_mm512_kunpackw(fired[j][1], fired[j][0]));
    }
  }
}

template <Reset kReset, Rounding kRounding, bool kInclusive>
LAMPYRIS_TARGET_AVX512 inline void forward_stored(const LifForward<float>& a,
                                                  const ConstantsBlock<float>& c, float* membrane,
                                                  int64_t t, int64_t n, int64_t o, int64_t count,
                                                  bool stream) {
  if (a.spikes == nullptr) {
    forward_wide<kReset, kRounding, kInclusive, Store::kNone>(a, c, membrane, t, n, o, count);
  } else if (stream) {
    forward_wide<kReset, kRounding, kInclusive, Store::kStream>(a, c, membrane, t, n, o, count);
  } else {
    forward_wide<kReset, kRounding, kInclusive, Store::kPlain>(a, c, membrane, t, n, o, count);
  }
}

template <Reset kReset, Rounding kRounding>
LAMPYRIS_TARGET_AVX512 inline int64_t forward_run(Avx512, const LifForward<float>& a,
                                                  const ConstantsBlock<float>& c, float* membrane,
                                                  int64_t t, int64_t first, int64_t o,
                                                  int64_t count, bool stream) {
  const int64_t n = first + o;
  count = run_length(a.x, n, count);
  if (count == 0) return 0;
  if (a.inclusive) {
    forward_stored<kReset, kRounding, true>(a, c, membrane, t, n, o, count, stream);
  } else {
    forward_stored<kReset, kRounding, false>(a, c, membrane, t, n, o, count, stream);
  }
  return count;
}
#endif

}  // namespace lampyris
