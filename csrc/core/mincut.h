// The rules of soft clustering on one node, one entry or one edge, for every backend.
#pragma once

#include <cstdint>

#include "core/attributes.h"
#include "core/lanes.h"
#include "core/surrogate.h"

namespace lampyris {

// exp((logit - largest) * inverse_temperature) for logit <= largest. From 87 units down it is 0, so
// that a logit of -inf switches its cluster off; NaN where the argument is NaN.
template <typename T>
LAMPYRIS_INLINE T mincut_exponential(T logit, T largest, T inverse_temperature) {
  const T z = (largest - logit) * inverse_temperature;
  return select(z == z, select(z > T(87.0F), T(0.0F), exp_negative(z)), z);
}

template <>
LAMPYRIS_INLINE double mincut_exponential(double logit, double largest, double inverse) {
  return std::exp((logit - largest) * inverse);
}

// The first of the largest logits; NaN counts as the largest, as in torch.argmax.
template <typename T>
LAMPYRIS_INLINE int64_t mincut_hardest(const T* logits, int64_t clusters) {
  int64_t best = 0;
  for (int64_t k = 0; k < clusters; ++k) {
    if (logits[k] != logits[k]) return k;
    if (logits[k] > logits[best]) best = k;
  }
  return best;
}

// One row of the softmax, entry by entry in order.
template <typename T>
LAMPYRIS_INLINE void mincut_softmax_row(const T* logits, int64_t clusters, T inverse_temperature,
                                        T* soft) {
  T largest = logits[0], sum = 0;
  for (int64_t k = 0; k < clusters; ++k) largest = logits[k] > largest ? logits[k] : largest;
  for (int64_t k = 0; k < clusters; ++k) {
    soft[k] = mincut_exponential(logits[k], largest, inverse_temperature);
    sum += soft[k];
  }
  for (int64_t k = 0; k < clusters; ++k) soft[k] = soft[k] / sum;
}

// Gradient of a logit: soft (grad - <grad, soft>) / temperature.
template <typename T>
LAMPYRIS_INLINE T mincut_logit_gradient(T soft, T grad, T inner, T inverse_temperature) {
  return soft * (grad - inner) * inverse_temperature;
}

// weight * sign(difference): what an edge adds to the gradient of weight * |difference|.
template <typename T>
LAMPYRIS_INLINE T mincut_sign(T weight, T difference) {
  const T zero = T(0.0F);
  return select(difference > zero, weight, select(difference < zero, zero - weight, zero));
}

}  // namespace lampyris
