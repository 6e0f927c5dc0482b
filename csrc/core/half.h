// bfloat16 and float16 as their bits, with the conversions that kernels need. Arithmetic is done in
// float32 (Compute).
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "core/attributes.h"

#if defined(__CUDACC__)
#include <cuda_fp16.h>
#endif

namespace lampyris {

struct BFloat16 {
  uint16_t bits;
};

struct Float16 {
  uint16_t bits;
};

// What a kernel computes in for inputs of type X.
template <typename X>
using Compute = std::conditional_t<std::is_same_v<X, double>, double, float>;

LAMPYRIS_INLINE uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

LAMPYRIS_INLINE float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

LAMPYRIS_INLINE float widen(float x) { return x; }
LAMPYRIS_INLINE double widen(double x) { return x; }
LAMPYRIS_INLINE float widen(BFloat16 x) { return float_of(static_cast<uint32_t>(x.bits) << 16); }

LAMPYRIS_INLINE float widen(Float16 x) {
#if defined(__CUDA_ARCH__)
  return __half2float(__ushort_as_half(x.bits));
#else
  const uint32_t sign = static_cast<uint32_t>(x.bits & 0x8000U) << 16;
  const uint32_t exponent = (x.bits >> 10) & 0x1FU, fraction = x.bits & 0x3FFU;
  if (exponent == 0x1F) return float_of(sign | 0x7F800000U | fraction << 13);
  if (exponent != 0) return float_of(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
  return sign != 0 ? -magnitude : magnitude;
#endif
}

// To nearest, ties to even; NaN stays NaN.
template <typename X>
LAMPYRIS_INLINE X narrow(Compute<X> value);

template <>
LAMPYRIS_INLINE float narrow<float>(float value) {
  return value;
}

template <>
LAMPYRIS_INLINE double narrow<double>(double value) {
  return value;
}

template <>
LAMPYRIS_INLINE BFloat16 narrow<BFloat16>(float value) {
  const uint32_t bits = bits_of(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return {static_cast<uint16_t>(bits >> 16 | 0x40U)};
  return {static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16)};
}

template <>
LAMPYRIS_INLINE Float16 narrow<Float16>(float value) {
#if defined(__CUDA_ARCH__)
  return {__half_as_ushort(__float2half_rn(value))};
#else
  const uint32_t bits = bits_of(value);
  const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000U);
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return {static_cast<uint16_t>(sign | 0x7E00U)};
  if (magnitude >= 0x47800000U) return {static_cast<uint16_t>(sign | 0x7C00U)};
  if (magnitude < 0x38800000U) {  // subnormal: in units of 2^-24, rounded by the addition
    const float rounded = float_of(magnitude) + 0.5F;
    return {static_cast<uint16_t>(sign | (bits_of(rounded) - 0x3F000000U))};
  }
  const uint32_t even = magnitude >> 13 & 1U;
  return {static_cast<uint16_t>(sign | (magnitude + 0xC8000FFFU + even) >> 13)};
#endif
}

}  // namespace lampyris
