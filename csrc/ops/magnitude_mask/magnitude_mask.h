// Masks of the largest magnitudes: an exact count over several weights together, or n of every m.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace lampyris {

// One weight of a scope; `first` is the index of its first element within the scope.
struct MaskSegment {
  const float* weight;
  uint8_t* mask;
  int64_t count;
  int64_t first;
};

// Elements of a scope are numbered by 32 bits.
inline constexpr int64_t kMaxScope = int64_t{1} << 32;

// The key of the element of rank `prune` from below; masks keep keys >= it. 0 <= prune <= elements.
void magnitude_mask_scope(const MaskSegment* segments, int64_t count, int64_t prune);

// Keep the n largest of each m along the middle of [outer, length, inner]; ties keep the first.
struct NmShape {
  int64_t outer, length, inner;
};
void nm_mask_rows(const float* weight, uint8_t* mask, const NmShape& s, int n, int m, int64_t begin,
                  int64_t end);

// `histogram` holds kDigitValues counts, `state` two words (key so far, ranks left).
void magnitude_mask_cuda(const MaskSegment* segments, int64_t count, int64_t prune,
                         uint32_t* histogram, uint64_t* state, CUstream_st* stream);
void nm_mask_cuda(const float* weight, uint8_t* mask, const NmShape& s, int n, int m,
                  CUstream_st* stream);

}  // namespace lampyris
