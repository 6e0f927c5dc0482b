// Uniform quantizer with a real-valued step and offset, and its gradients (straight-through
// rounding). Sources: LSQ (Esser et al., ICLR 2020), LSQ+ (Bhalgat et al., CVPRW 2020) for the
// offset.
#pragma once

#include <cmath>

#include "core/attributes.h"

namespace lampyris {

template <typename T>
struct QuantizeConstants {
  T scale;      // real value of one step, > 0
  T offset;     // real value of integer 0
  T low, high;  // integer limits
};

// scale * rint(clamp((x - offset) / scale, low, high)) + offset; rint rounds half to even.
template <typename T>
LAMPYRIS_INLINE T fake_quantize_value(T x, const QuantizeConstants<T>& c) {
  const T position = (x - c.offset) / c.scale;
  const T low = position < c.low ? c.low : position;
  const T clamped = low > c.high ? c.high : low;
  return std::nearbyint(clamped) * c.scale + c.offset;
}

// d/dx is 1 between the limits (included), else 0; d/doffset is the opposite; d/dscale is
// rint(position) - position between the limits, the limit outside.
template <typename T>
LAMPYRIS_INLINE void fake_quantize_gradient(T x, const QuantizeConstants<T>& c, T& to_x,
                                            T& to_scale, T& to_offset) {
  const T position = (x - c.offset) / c.scale;
  const bool below = position<c.low, above = position> c.high;
  const bool inside = !(below | above);
  to_x = inside ? T(1) : T(0);
  to_offset = inside ? T(0) : T(1);
  to_scale = inside ? std::nearbyint(position) - position : (below ? c.low : c.high);
}

}  // namespace lampyris
