// backward_run(): four steps of a run, from codes. AVX-512 has grad_charge() of core/neuron.h in
// intrinsics, bit for bit.
#pragma once

#include "ops/lif/lif_run.h"

namespace lampyris {

// Steps t + 3 down to t of the neurons from first + o on, at most `count`; returns how many it did.
template <bool kThroughReset, typename T, class Target>
LAMPYRIS_INLINE int64_t backward_run(Target, const LifBackward<T>&, const ConstantsBlock<T>&, T*,
                                     int64_t, int64_t, int64_t, int64_t, bool) {
  return 0;
}

#if defined(__x86_64__)

template <bool kThroughReset, bool kTrace, Store kStore>
LAMPYRIS_TARGET_AVX512 inline void backward_wide(const LifBackward<float>& a,
                                                 const ConstantsBlock<float>& c, float* carries,
                                                 int64_t t, int64_t n, int64_t o,
                                                 int64_t count) {
  const int64_t neurons = a.neurons;
  const float* g[kStepsPerByte];
  for (int j = 0; j < kStepsPerByte; ++j) g[j] = &a.grad_spikes.at(t + j, n);
  const float* const grad_v = kTrace ? a.grad_membrane + t * neurons + n : nullptr;
  float* const grad_x = a.grad_x + t * neurons + n;
  const uint8_t* const code = a.codes + t / kStepsPerByte * neurons + n;
  for (int64_t k = 0; k < count; k += kWide) {
    const __m512 decay = _mm512_load_ps(c.decay.lane(o + k));
    const __m512 threshold = _mm512_load_ps(c.threshold.lane(o + k));
    const __m512 gain = _mm512_load_ps(c.gain.lane(o + k));
    const __m512 inverse_width = _mm512_load_ps(c.inverse_width.lane(o + k));
    const __m512i bits = _mm512_maskz_cvtepu8_epi32(
        kAllLanes, _mm_loadu_si128(reinterpret_cast<const __m128i*>(code + k)));
    __m512 carry = _mm512_load_ps(carries + o + k);
#pragma GCC unroll 4
    for (int j = kStepsPerByte - 1; j >= 0; --j) {
      const int shift = kCodeBits * j;
      float* const to = grad_x + j * neurons + k;
      __builtin_prefetch(g[j] + k + kPrefetch, 0);
      const __mmask16 window =
          _mm512_test_epi32_mask(bits, _mm512_set1_epi32(kCodeWindow << shift));
      const __mmask16 passes = _mm512_test_epi32_mask(bits, _mm512_set1_epi32(kCodeCarry << shift));
      carry = _mm512_add_ps(
          carry, kTrace ? _mm512_loadu_ps(grad_v + j * neurons + k) : _mm512_setzero_ps());
      __m512 grad_spike = _mm512_loadu_ps(g[j] + k);
      if constexpr (kThroughReset) {
        grad_spike = _mm512_sub_ps(grad_spike, _mm512_mul_ps(threshold, carry));
      }
      const __m512 grad_u = _mm512_add_ps(_mm512_maskz_mul_ps(window, grad_spike, inverse_width),
                                          _mm512_maskz_mov_ps(passes, carry));
      store_wide<kStore>(to, _mm512_mul_ps(gain, grad_u));
      carry = _mm512_mul_ps(decay, grad_u);
    }
    _mm512_store_ps(carries + o + k, carry);
  }
}

template <bool kThroughReset, bool kTrace>
LAMPYRIS_TARGET_AVX512 inline void backward_stored(const LifBackward<float>& a,
                                                   const ConstantsBlock<float>& c, float* carries,
                                                   int64_t t, int64_t n, int64_t o, int64_t count,
                                                   bool stream) {
  if (stream) {
    backward_wide<kThroughReset, kTrace, Store::kStream>(a, c, carries, t, n, o, count);
  } else {
    backward_wide<kThroughReset, kTrace, Store::kPlain>(a, c, carries, t, n, o, count);
  }
}

template <bool kThroughReset>
LAMPYRIS_TARGET_AVX512 inline int64_t backward_run(Avx512, const LifBackward<float>& a,
                                                   const ConstantsBlock<float>& c, float* carries,
                                                   int64_t t, int64_t first, int64_t o,
                                                   int64_t count, bool stream) {
  const int64_t n = first + o;
  count = run_length(a.grad_spikes, n, count);
  if (count == 0) return 0;
  if (a.membrane_out == MembraneOut::kTrace && a.grad_membrane != nullptr) {
    backward_stored<kThroughReset, true>(a, c, carries, t, n, o, count, stream);
  } else {
    backward_stored<kThroughReset, false>(a, c, carries, t, n, o, count, stream);
  }
  return count;
}
#endif

}  // namespace lampyris
