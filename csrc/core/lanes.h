// What the rules need of a number beyond + - * / and comparisons, so that one text serves a scalar
// and the vectors of cpu/wide.h, which have functions of the same names.
#pragma once

#include <cmath>

#include "core/attributes.h"
#include "core/half.h"

namespace lampyris {

// What a comparison of T gives: bool, or one bit a lane.
template <typename T>
using MaskOf = decltype(T() < T());

template <typename T>
LAMPYRIS_INLINE T select(bool which, T yes, T no) {
  return which ? yes : no;
}

LAMPYRIS_INLINE float abs_of(float x) { return std::fabs(x); }
LAMPYRIS_INLINE double abs_of(double x) { return std::fabs(x); }
LAMPYRIS_INLINE float floor_of(float x) { return std::floor(x); }
LAMPYRIS_INLINE double floor_of(double x) { return std::floor(x); }

// 1.5 * 2^23: added to n, |n| < 2^22, it leaves n in the low bits.
inline constexpr float kExponentShift = 12582912.0F;

// 2^n of n + kExponentShift, -126 <= n <= 127.
LAMPYRIS_INLINE float power_of_two(float shifted) {
  return float_of((bits_of(shifted) << 23) + (127U << 23));
}

}  // namespace lampyris
