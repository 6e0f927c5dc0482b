// A block of neurons in vectors, for a file of one width (cpu/wide.h).
#pragma once

#include "cpu/wide.h"
#include "ops/lif/lif_block.h"

namespace lampyris {
namespace {

// The constants of a run of neurons; a single value is read again and again.
template <typename T>
struct ConstantRuns {
  using F = Wide<T>;

  struct Run {
    const T* values;
    int64_t stride;

    LAMPYRIS_INLINE Run(const ParameterBlock<T>& p, int64_t o)
        : values(p.lane(o)), stride(p.stride) {}
    LAMPYRIS_INLINE F at(int64_t k) const { return F::load(values + k * stride); }
  };

  Run decay, threshold, gain, half_width, inverse_width;
  F v_reset;

  LAMPYRIS_INLINE ConstantRuns(const ConstantsBlock<T>& c, int64_t o, T reset)
      : decay(c.decay, o),
        threshold(c.threshold, o),
        gain(c.gain, o),
        half_width(c.half_width, o),
        inverse_width(c.inverse_width, o),
        v_reset(reset) {}

  LAMPYRIS_INLINE NeuronConstants<F> at(int64_t k) const {
    return {decay.at(k),      threshold.at(k),     gain.at(k),
            half_width.at(k), inverse_width.at(k), v_reset};
  }
};

// Past the caches, or into them: results small enough for that are there already, and asking for
// their lines ahead costs a fifth (4 x 262144: 0.15 ms against 0.12).
template <bool kStream, typename F, typename X>
LAMPYRIS_INLINE void put(F values, X* to) {
  if constexpr (kStream) {
    values.stream(to);
  } else {
    values.store(to);
  }
}

}  // namespace
}  // namespace lampyris
