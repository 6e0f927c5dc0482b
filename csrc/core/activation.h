// Sigmoid and tanh by the polynomials of exp_negative(): the same bits in every width and on the
// GPU. float: at most 3 units in the last place of the exact value; sigmoid is never below exp(-87).
// double: the C library's exp, 4 units.
#pragma once

#include <type_traits>

#include "core/attributes.h"
#include "core/lanes.h"
#include "core/surrogate.h"

namespace lampyris {

// float or double, of a number or of a vector of them.
template <typename T>
struct LaneOf {
  using Type = T;
};
template <template <typename> class Lanes, typename T>
struct LaneOf<Lanes<T>> {
  using Type = T;
};

template <typename T>
LAMPYRIS_INLINE T sigmoid_of(T x) {
  const T e = exp_negative(abs_of(x));
  return select(x < T(0), e, T(1)) / (T(1) + e);
}

// Below 5/8 Cephes' polynomials (tanhf, tanh): (1 - e) / (1 + e) loses digits there.
template <typename T>
LAMPYRIS_INLINE T tanh_of(T x) {
  const T a = abs_of(x), square = x * x;
  const T e = exp_negative(a + a);
  const T large = (T(1) - e) / (T(1) + e);
  T factor;
  if constexpr (std::is_same_v<typename LaneOf<T>::Type, double>) {
    T top = T(-9.64399179425052238628e-1);
    top = top * square - T(9.92877231001918586564e1);
    top = top * square - T(1.61468768441708447952e3);
    T bottom = square + T(1.12811678491632931402e2);
    bottom = bottom * square + T(2.23548839060100448583e3);
    bottom = bottom * square + T(4.84406305325125486048e3);
    factor = top / bottom;
  } else {
    factor = T(-5.70498872745e-3F);
    factor = factor * square + T(2.06390887954e-2F);
    factor = factor * square - T(5.37397155531e-2F);
    factor = factor * square + T(1.33314422036e-1F);
    factor = factor * square - T(3.33332819422e-1F);
  }
  const T small = x + x * (square * factor);
  return select(a < T(0.625F), small, select(x < T(0), -large, large));
}

}  // namespace lampyris
