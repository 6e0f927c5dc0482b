// Current and one neuron step: what the CPU's loop and the CUDA kernel share.
#pragma once

#include "ops/spike_conv_lif/spike_conv_lif.h"

namespace lampyris {

// How a form holds sums, bias, residual and stream.
template <CurrentForm kForm>
struct CurrentTypes {
  using Sum = float;
  using Bias = float;
  using Stream = float;
};

template <>
struct CurrentTypes<CurrentForm::kExact> {
  using Sum = int32_t;
  using Bias = int32_t;
  using Stream = int16_t;
};

template <>
struct CurrentTypes<CurrentForm::kScaled> {
  using Sum = int32_t;
  using Bias = float;
  using Stream = float;
};

// X from the sum P; the float form's sum already holds the bias.
template <CurrentForm kForm, typename Sum, typename Bias, typename Stream>
LAMPYRIS_INLINE Stream current_of(Sum sum, int shift, float scale, Bias bias, Stream residual) {
  if constexpr (kForm == CurrentForm::kFloat) return sum + residual;
  if constexpr (kForm == CurrentForm::kScaled) {
    return (static_cast<float>(sum) * scale + bias) + residual;
  }
  // |P| << shift stays below 2^30 (checked); a bias beyond that clamps whatever is added.
  const int64_t wide = (static_cast<int64_t>(sum) << shift) + static_cast<int64_t>(bias) +
                       static_cast<int64_t>(residual);
  const int64_t low = wide < kCurrentMin ? kCurrentMin : wide;
  return static_cast<Stream>(low > kCurrentMax ? kCurrentMax : low);
}

template <CurrentForm kForm, Reset kReset>
LAMPYRIS_INLINE bool fire_step(float x, float decay, float threshold, float gain, float v_reset,
                               bool inclusive, float& v) {
  float u = charge(v, x, decay, gain, v_reset);
  if constexpr (kForm == CurrentForm::kExact) u = floor_saturate(u);
  const bool spike = fires(u, threshold, inclusive);
  v = after_reset<kReset>(u, spike, threshold, v_reset);
  return spike;
}

}  // namespace lampyris
