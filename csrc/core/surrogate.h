// Surrogate derivatives ds/du as functions of the distance u - threshold. Each integrates to 1 over
// the distance and has one scale, `width`. With z = |distance| / width:
//   rectangle              1 / width where |distance| < width / 2           Wu et al. 2018
//   triangle               max(0, 1 - z) / width                            Bellec et al. 2018
//   sigmoid                e / (1 + e)^2 / width, e = exp(-z)               d/du sigmoid(u / width)
//   atan                   1 / (2 width (1 + (pi z / 2)^2))                 Fang et al. 2021
//   fast_sigmoid           1 / (2 width (1 + z)^2)                          Zenke, Ganguli 2018
//   piecewise_exponential  exp(-z) / (2 width)                              Shrestha, Orchard 2018
// SpikingJelly's alpha is 1 / width for Rect, PiecewiseQuadratic (triangle), Sigmoid, ATan, SoftSign
// (fast_sigmoid) and PiecewiseExp. snnTorch: atan(alpha) and sigmoid(slope) likewise, 1 / width;
// its fast_sigmoid(slope) is 2 width times this one at width = 1 / slope (area 2 / slope).
#pragma once

#include <cmath>
#include <cstdint>

#include "core/attributes.h"
#include "core/half.h"
#include "core/lanes.h"

namespace lampyris {

// kGiven: the caller has the derivative of every neuron-step in memory.
enum class Surrogate {
  kRectangle,
  kTriangle,
  kSigmoid,
  kAtan,
  kFastSigmoid,
  kPiecewiseExponential,
  kGiven
};
inline constexpr int kSurrogates = 6;  // those with a formula

// exp(-z) for z >= 0 to 2 units in the last place, the same bits in every width and on the GPU;
// exp(-87) from there on. Reduction to |r| <= ln(2) / 2 and Cephes' polynomial (expf).
template <typename T>
LAMPYRIS_INLINE T exp_negative(T z) {
  const T t = select(z > T(87.0F), T(-87.0F), -z);
  const T shifted = t * T(1.44269504088896341F) + T(kExponentShift);
  const T n = shifted - T(kExponentShift);
  const T r = (t - n * T(0.693359375F)) - n * T(-2.12194440e-4F);
  T p = T(1.9875691500e-4F);
  p = p * r + T(1.3981999507e-3F);
  p = p * r + T(8.3334519073e-3F);
  p = p * r + T(4.1665795894e-2F);
  p = p * r + T(1.6666665459e-1F);
  p = p * r + T(5.0000001201e-1F);
  return ((p * (r * r) + r) + T(1)) * power_of_two(shifted);
}

template <>
LAMPYRIS_INLINE double exp_negative<double>(double z) {
  return std::exp(-z);
}

template <Surrogate kSurrogate, typename T>
LAMPYRIS_INLINE T surrogate_derivative(T distance, T half_width, T inverse_width) {
  const T z = abs_of(distance) * inverse_width;
  const T half_height = T(0.5F) * inverse_width;
  if constexpr (kSurrogate == Surrogate::kRectangle) {
    return select(abs_of(distance) < half_width, inverse_width, T(0));
  } else if constexpr (kSurrogate == Surrogate::kTriangle) {
    return select(z < T(1), (T(1) - z) * inverse_width, T(0));
  } else if constexpr (kSurrogate == Surrogate::kSigmoid) {
    const T e = exp_negative(z), sum = T(1) + e;
    return e / (sum * sum) * inverse_width;
  } else if constexpr (kSurrogate == Surrogate::kAtan) {
    const T scaled = T(1.57079632679489662) * z;
    return half_height / (T(1) + scaled * scaled);
  } else if constexpr (kSurrogate == Surrogate::kFastSigmoid) {
    const T sum = T(1) + z;
    return half_height / (sum * sum);
  } else {
    return half_height * exp_negative(z);
  }
}

// The same chosen at run time: a branch that processors foresee. Not for Surrogate::kGiven.
template <typename T>
LAMPYRIS_INLINE T surrogate_by(Surrogate surrogate, T distance, T half_width, T inverse_width) {
  switch (surrogate) {
    case Surrogate::kTriangle:
      return surrogate_derivative<Surrogate::kTriangle>(distance, half_width, inverse_width);
    case Surrogate::kSigmoid:
      return surrogate_derivative<Surrogate::kSigmoid>(distance, half_width, inverse_width);
    case Surrogate::kAtan:
      return surrogate_derivative<Surrogate::kAtan>(distance, half_width, inverse_width);
    case Surrogate::kFastSigmoid:
      return surrogate_derivative<Surrogate::kFastSigmoid>(distance, half_width, inverse_width);
    case Surrogate::kPiecewiseExponential:
      return surrogate_derivative<Surrogate::kPiecewiseExponential>(distance, half_width,
                                                                    inverse_width);
    default:
      return surrogate_derivative<Surrogate::kRectangle>(distance, half_width, inverse_width);
  }
}

template <Surrogate kSurrogate, typename T>
LAMPYRIS_INLINE T surrogate_derivative(T distance, T width) {
  return surrogate_derivative<kSurrogate>(distance, width / T(2), T(1) / width);
}

}  // namespace lampyris
