// n of m: which elements of one group of m are kept.
#pragma once

#include <cstdint>

#include "core/attributes.h"
#include "core/magnitude.h"

namespace lampyris {

// Element i (stride apart) is kept if fewer than n of the group come before it in falling
// magnitude, the first of equal ones before the later.
LAMPYRIS_INLINE bool nm_keeps(const float* group, int64_t stride, int i, int n, int m) {
  const uint64_t own = magnitude_key(group[i * stride], static_cast<uint64_t>(i));
  int larger = 0;
  for (int j = 0; j < m; ++j) {
    larger += magnitude_key(group[j * stride], static_cast<uint64_t>(j)) > own ? 1 : 0;
  }
  return larger < n;
}

}  // namespace lampyris
