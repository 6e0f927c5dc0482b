// The spiking neuron: charge, fire, reset, and the gradient of one step. CPU loops, CUDA kernels
// and tests call these functions; nothing else states the rule. Operators run them in the order
//   u = charge(v, x); u = floor_saturate(u) if asked; s = fires(u); v = after_reset(u, s).
// T is a float, a double or a vector of neurons (cpu/wide.h); a mask is then a bit each. NaN never
// fires and stays in the membrane. With Rounding::kFloor and integers held in float32 this is
// docs/contract.md section 3.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/attributes.h"
#include "core/fixed_point.h"
#include "core/lanes.h"

namespace lampyris {

enum class Reset { kHard, kSoft, kNone };
enum class Rounding { kNone, kFloor };

// Two bits a neuron-step carry everything that the backward of a rectangle surrogate needs.
inline constexpr int kCodeWindow = 1;  // the surrogate's window is open and u was not clipped
inline constexpr int kCodeCarry = 2;   // the membrane passes on to u (no hard reset, not clipped)
inline constexpr int kCodeBits = 2;
inline constexpr int kStepsPerByte = 4;

template <typename T>
struct NeuronConstants {
  T decay, threshold, gain;
  T half_width;     // of the rectangle, in units of u
  T inverse_width;  // its height
  T v_reset;
};

// u = v_reset + decay (v - v_reset) + gain x, evaluated from left to right without contraction.
template <typename T>
LAMPYRIS_INLINE T charge(T v, T x, T decay, T gain, T v_reset) {
  return (v_reset + decay * (v - v_reset)) + gain * x;
}

// charge() at v_reset 0, equal to it but for the sign of a zero: two operations less in the chain from
// step to step.
template <typename T>
LAMPYRIS_INLINE T charge_at_rest(T v, T x, T decay, T gain) {
  return decay * v + gain * x;
}

// sat18(floor(u)): the ems membrane, integers from -2^17 to 2^17 - 1.
template <typename T>
LAMPYRIS_INLINE T floor_saturate(T u) {
  const T low = select(u < T(kMembraneMin), T(kMembraneMin), u);
  const T clamped = select(low > T(kMembraneMax), T(kMembraneMax), low);
  return floor_of(clamped);
}

// Whether floor(u) fits the membrane, limits included.
template <typename T>
LAMPYRIS_INLINE MaskOf<T> fits_membrane(T u) {
  return (u >= T(kMembraneMin)) & (u < T(kMembraneMax) + T(1));
}

// u > threshold, or >= if inclusive.
template <typename T>
LAMPYRIS_INLINE MaskOf<T> fires(T u, T threshold, bool inclusive) {
  if constexpr (std::is_same_v<MaskOf<T>, bool>) {
    return (u > threshold) | ((u == threshold) & inclusive);
  } else {
    return inclusive ? u >= threshold : u > threshold;  // compilers do not fold masks of vectors
  }
}

// Rectangle surrogate: ds/du = inverse_width where |u - threshold| < half_width, else 0.
template <typename T>
LAMPYRIS_INLINE MaskOf<T> in_window(T u, T threshold, T half_width) {
  return abs_of(u - threshold) < half_width;
}

template <Reset kReset, typename T>
LAMPYRIS_INLINE T after_reset(T u, MaskOf<T> spike, T threshold, T v_reset) {
  if constexpr (kReset == Reset::kHard) return select(spike, v_reset, u);
  if constexpr (kReset == Reset::kSoft) return select(spike, u - threshold, u);
  return u;
}

// One step of v under input x: v after reset, u (the value compared with the threshold), whether it
// fired, and the two bits for the backward. kAtRest: v_reset is 0.
template <Reset kReset, Rounding kRounding, bool kAtRest = false, typename T>
LAMPYRIS_INLINE void neuron_step(T x, const NeuronConstants<T>& c, bool inclusive, T& v, T& u,
                                 MaskOf<T>& spike, MaskOf<T>& window, MaskOf<T>& carry) {
  const T charged = kAtRest ? charge_at_rest(v, x, c.decay, c.gain)
                            : charge(v, x, c.decay, c.gain, c.v_reset);
  u = charged;
  if constexpr (kRounding == Rounding::kFloor) u = floor_saturate(charged);
  spike = fires(u, c.threshold, inclusive);
  window = in_window(u, c.threshold, c.half_width);
  carry = kReset == Reset::kHard ? !spike : (spike | !spike);
  if constexpr (kRounding == Rounding::kFloor) {
    const MaskOf<T> inside = fits_membrane(charged);
    window = window & inside;
    carry = carry & inside;
  }
  v = after_reset<kReset>(u, spike, c.threshold, kAtRest ? T(0) : c.v_reset);
}

// The membrane that a saved u became.
template <typename T>
LAMPYRIS_INLINE T membrane_after(Reset reset, T u, const NeuronConstants<T>& c, bool inclusive) {
  const MaskOf<T> spike = fires(u, c.threshold, inclusive);
  if (reset == Reset::kHard) return after_reset<Reset::kHard>(u, spike, c.threshold, c.v_reset);
  if (reset == Reset::kSoft) return after_reset<Reset::kSoft>(u, spike, c.threshold, c.v_reset);
  return u;
}

// Gradient with respect to u, from the gradients of the spike and of the membrane after reset. With
// a soft reset that is not detached the caller has already subtracted threshold * grad_v from
// grad_spike; with a hard one, added (v_reset - u) * grad_v.
template <typename T>
LAMPYRIS_INLINE T grad_charge(T grad_spike, T grad_v, MaskOf<T> window, MaskOf<T> carry,
                              T inverse_width) {
  return select(window, grad_spike * inverse_width, T(0)) + select(carry, grad_v, T(0));
}

template <typename T>
LAMPYRIS_INLINE T grad_charge(T grad_spike, T grad_v, int code, T inverse_width) {
  return grad_charge(grad_spike, grad_v, (code & kCodeWindow) != 0, (code & kCodeCarry) != 0,
                     inverse_width);
}

}  // namespace lampyris
