// The integer arithmetic of docs/contract.md section 1: shifts with stated rounding, saturation,
// wrap-around. Nothing else in an exact forward rounds or clamps.
#pragma once

#include <cstdint>

#include "core/attributes.h"

namespace lampyris {

inline constexpr int32_t kCurrentMin = -32768;   // int16 stream
inline constexpr int32_t kCurrentMax = 32767;
inline constexpr int kMembraneBits = 18;
inline constexpr int32_t kMembraneMin = -(1 << 17);
inline constexpr int32_t kMembraneMax = (1 << 17) - 1;

// floor(x / 2^k), also for negative x. 0 <= k <= 31.
LAMPYRIS_INLINE constexpr int32_t shift_floor(int32_t x, int k) { return x >> k; }

// (x + 2^(k-1)) >> k: nearest, ties upward; identity for k = 0. x + 2^(k-1) must fit int32.
LAMPYRIS_INLINE constexpr int32_t shift_round(int32_t x, int k) {
  return k == 0 ? x : (x + (int32_t{1} << (k - 1))) >> k;
}

// Clamp to int16, the range of a stored current.
LAMPYRIS_INLINE constexpr int32_t sat16(int32_t x) {
  return x < kCurrentMin ? kCurrentMin : (x > kCurrentMax ? kCurrentMax : x);
}

// Clamp to the 18-bit membrane of the ems target.
LAMPYRIS_INLINE constexpr int32_t sat18(int32_t x) {
  return x < kMembraneMin ? kMembraneMin : (x > kMembraneMax ? kMembraneMax : x);
}

// Two's complement wrap to `bits` (1..32): what an adder of that width keeps.
LAMPYRIS_INLINE constexpr int32_t wrap(int32_t x, int bits) {
  const int drop = 32 - bits;
  return static_cast<int32_t>(static_cast<uint32_t>(x) << drop) >> drop;
}

}  // namespace lampyris
