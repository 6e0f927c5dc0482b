// Order of weights for pruning: by magnitude, and of equal magnitudes the later index goes first.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/attributes.h"

namespace lampyris {

// Unique sort key: |weight| bits above, falling index below. IEEE magnitudes order like integers;
// NaN is above infinity, so it is kept.
LAMPYRIS_INLINE uint64_t magnitude_key(float weight, uint64_t index) {
  uint32_t bits;
  memcpy(&bits, &weight, sizeof(bits));
  const uint64_t magnitude = bits & 0x7FFFFFFFU;
  return magnitude << 32 | (0xFFFFFFFFU - index);
}

// The key is found 16 bits at a time, from the top, by counting.
inline constexpr int kDigitBits = 16;
inline constexpr int kDigits = 64 / kDigitBits;
inline constexpr int64_t kDigitValues = int64_t{1} << kDigitBits;

LAMPYRIS_INLINE int64_t key_digit(uint64_t key, int digit) {
  return static_cast<int64_t>(key >> (kDigitBits * (kDigits - 1 - digit)) & (kDigitValues - 1));
}

// Whether the digits above `digit` are those of `prefix`.
LAMPYRIS_INLINE bool key_matches(uint64_t key, uint64_t prefix, int digit) {
  return digit == 0 || (key ^ prefix) >> (kDigitBits * (kDigits - digit)) == 0;
}

}  // namespace lampyris
