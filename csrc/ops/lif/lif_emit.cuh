// Where the spike of a thread's neuron goes.
#pragma once

#include "core/half.h"
#include "ops/launch.cuh"

namespace lampyris {

// Stores a spike, or with kPacked one word a warp.
template <typename X, bool kPacked>
struct EmitSpikes {
  X* spikes;
  uint32_t* plane;
  int64_t neurons, n;
  unsigned active;

  LAMPYRIS_INLINE void operator()(int64_t t, bool spike) const {
    if constexpr (kPacked) {
#if defined(__CUDA_ARCH__)
      const unsigned word = __ballot_sync(active, spike);
      if (n % kWarp == 0) plane[t * ((neurons + kWarp - 1) / kWarp) + n / kWarp] = word;
#endif
    } else {
      spikes[t * neurons + n] = narrow<X>(spike ? Compute<X>(1) : Compute<X>(0));
    }
  }
};

}  // namespace lampyris
