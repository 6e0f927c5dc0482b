#include <algorithm>
#include <vector>

#include "core/nm_group.h"
#include "ops/magnitude_mask/magnitude_mask.h"

namespace lampyris {

void magnitude_mask_scope(const MaskSegment* segments, int64_t count, int64_t prune) {
  int64_t elements = 0;
  for (int64_t s = 0; s < count; ++s) elements += segments[s].count;
  if (prune >= elements) {
    for (int64_t s = 0; s < count; ++s)
      std::fill_n(segments[s].mask, segments[s].count, uint8_t{0});
    return;
  }
  uint64_t key = 0;
  int64_t left = prune;  // how many keys below the sought one are still to be passed
  std::vector<int64_t> histogram(kDigitValues);
  for (int digit = 0; digit < kDigits; ++digit) {
    std::fill(histogram.begin(), histogram.end(), 0);
    for (int64_t s = 0; s < count; ++s) {
      const MaskSegment& segment = segments[s];
      for (int64_t i = 0; i < segment.count; ++i) {
        const uint64_t k =
            magnitude_key(segment.weight[i], static_cast<uint64_t>(segment.first + i));
        if (key_matches(k, key, digit)) ++histogram[key_digit(k, digit)];
      }
    }
    int64_t value = 0;
    for (; left >= histogram[value]; ++value) left -= histogram[value];
    key |= static_cast<uint64_t>(value) << (kDigitBits * (kDigits - 1 - digit));
  }
  for (int64_t s = 0; s < count; ++s) {
    const MaskSegment& segment = segments[s];
    for (int64_t i = 0; i < segment.count; ++i) {
      segment.mask[i] =
          magnitude_key(segment.weight[i], static_cast<uint64_t>(segment.first + i)) >= key;
    }
  }
}

void nm_mask_rows(const float* weight, uint8_t* mask, const NmShape& s, int n, int m, int64_t begin,
                  int64_t end) {
  const int64_t groups = s.length / m;
  for (int64_t k = begin; k < end; ++k) {
    for (int64_t g = 0; g < groups; ++g) {
      for (int64_t i = 0; i < s.inner; ++i) {
        const int64_t base = (k * s.length + g * m) * s.inner + i;
        for (int j = 0; j < m; ++j) {
          mask[base + j * s.inner] = nm_keeps(weight + base, s.inner, j, n, m);
        }
      }
    }
  }
}

}  // namespace lampyris
