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
  if constexpr (kForm == CurrentForm::kExact) {
    // |P| << shift stays below 2^29 (checked): a bias beyond 2^30 decides the clamp alone.
    constexpr int32_t kBias = 1 << 30;
    const int32_t low = bias < -kBias ? -kBias : bias;
    const int32_t b = low > kBias ? kBias : low;
    return static_cast<Stream>(sat16((sum * (1 << shift)) + b + residual));
  }
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
