// Four floats in a register of any processor: what portable kernels keep their sums in.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/attributes.h"

namespace lampyris {

using Float4 = float __attribute__((vector_size(16)));
using Int4 = int32_t __attribute__((vector_size(16)));

LAMPYRIS_INLINE Float4 load4(const float* from) {
  Float4 value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

LAMPYRIS_INLINE void store4(float* to, const Float4& value) {
  std::memcpy(to, &value, sizeof(value));
}

// from[i] where bit i is set, else 0.
LAMPYRIS_INLINE Float4 select4(uint32_t bits, const float* from) {
  constexpr Int4 kBits = {1, 2, 4, 8};
  Int4 value;
  std::memcpy(&value, from, sizeof(value));
  const auto all = static_cast<int32_t>(bits);
  value &= (Int4{all, all, all, all} & kBits) == kBits;
  Float4 selected;
  std::memcpy(&selected, &value, sizeof(value));
  return selected;
}

}  // namespace lampyris
