// I-LIF: a neuron that emits how often its threshold fits into the membrane (SpikeYOLO, Luo et al.,
// ECCV 2024):
//   u = decay v + gain x; s = rint(clamp(u / threshold, 0, limit)), half to even; v = u - threshold s.
// NaN counts 0 and stays in the membrane. The gradient of s is 1 / threshold where 0 <= u /
// threshold <= limit, else 0; none passes through the reset's s.
#pragma once

#include "core/neuron.h"

namespace lampyris {

template <typename T>
LAMPYRIS_INLINE T round_half_even(T x) {
  const T floor = floor_of(x), rest = x - floor, half = T(0.5F);
  const MaskOf<T> odd = (floor - T(2) * floor_of(floor * half)) == T(1);
  return select((rest > half) | ((rest == half) & odd), floor + T(1), floor);
}

template <typename T>
LAMPYRIS_INLINE T count_of(T u, T threshold, T limit) {
  const T ratio = u / threshold;
  const T positive = select(ratio > T(0), ratio, T(0));
  return round_half_even(select(positive > limit, limit, positive));
}

template <typename T>
LAMPYRIS_INLINE MaskOf<T> counts_follow(T u, T threshold, T limit) {
  const T ratio = u / threshold;
  return (ratio >= T(0)) & (limit >= ratio);
}

// One step; the limit is c.half_width (width = 2 limit).
template <typename T>
LAMPYRIS_INLINE void counting_step(T x, const NeuronConstants<T>& c, T& v, T& u, T& count,
                                   MaskOf<T>& window) {
  u = charge_at_rest(v, x, c.decay, c.gain);
  count = count_of(u, c.threshold, c.half_width);
  window = counts_follow(u, c.threshold, c.half_width);
  v = u - c.threshold * count;
}

// Gradients of one step from its u and the membrane before it; `carry` is that of v.
template <typename T>
struct CountGradients {
  T u, threshold;
};

template <typename T>
LAMPYRIS_INLINE CountGradients<T> count_gradients(T grad_count, T carry, T u,
                                                  const NeuronConstants<T>& c) {
  const T inverse = T(1) / c.threshold;
  const MaskOf<T> window = counts_follow(u, c.threshold, c.half_width);
  const T through = select(window, grad_count * inverse, T(0));
  const T count = count_of(u, c.threshold, c.half_width);
  return {through + carry, -(select(window, through * (u / c.threshold), T(0)) + count * carry)};
}

}  // namespace lampyris
