// I-LIF neurons (core/counts.h) over T steps. Arguments are lif's: `width` is 2 max_spikes, `spikes`
// are counts; reset, surrogate and rounding do not matter. The codes' window says where the gradient
// of a count is not 0, so that the backward from codes is lif's with width = threshold.
#pragma once

#include "core/counts.h"
#include "ops/lif/lif.h"

namespace lampyris {

inline constexpr int64_t kMostSpikes = 255;  // exact in bfloat16

template <typename X>
void ilif_forward_blocks(const LifForward<X>& a, int64_t begin, int64_t end);
// From the state, for parameter gradients.
template <typename X>
void ilif_backward_blocks(const LifBackward<X>& a, int64_t begin, int64_t end);

// counts [T, N] -> out [T D, N]: step t D + d is 1 where counts[t] > d. Rows [begin, end) of out.
template <typename X>
void ilif_expand_rows(const X* counts, int64_t neurons, int64_t max_spikes, X* out, int64_t begin,
                      int64_t end);

template <typename X>
void ilif_forward_cuda(const LifForward<X>& a, CUstream_st* stream);
template <typename X>
void ilif_backward_cuda(const LifBackward<X>& a, CUstream_st* stream);
template <typename X>
void ilif_expand_cuda(const X* counts, int64_t steps, int64_t neurons, int64_t max_spikes, X* out,
                      CUstream_st* stream);

}  // namespace lampyris
