// Four rounds of counting and selecting, all on the device, then one pass that writes the masks.
#include "core/nm_group.h"
#include "ops/launch.cuh"
#include "ops/magnitude_mask/magnitude_mask.h"
#include "ops/magnitude_mask/select_digit.h"

namespace lampyris {

namespace {

__global__ void __launch_bounds__(kBlockThreads)
    count_kernel(const MaskSegment s, const uint64_t* state, uint32_t* histogram, int digit) {
  const int64_t i = global_thread();
  if (i >= s.count) return;
  const uint64_t key = magnitude_key(s.weight[i], static_cast<uint64_t>(s.first + i));
  if (key_matches(key, state[0], digit)) atomicAdd(&histogram[key_digit(key, digit)], 1U);
}

__global__ void __launch_bounds__(kBlockThreads)
    select_kernel(const uint32_t* histogram, uint64_t* state, int digit) {
  __shared__ uint64_t partial[kBlockThreads];
  select_digit(CudaTeam{nullptr}, histogram, partial, state, digit);
}

__global__ void start_kernel(uint64_t* state, uint64_t prune) {
  state[0] = 0;
  state[1] = prune;
}

__global__ void __launch_bounds__(kBlockThreads)
    mask_kernel(const MaskSegment s, const uint64_t* state) {
  const int64_t i = global_thread();
  if (i < s.count) {
    s.mask[i] = magnitude_key(s.weight[i], static_cast<uint64_t>(s.first + i)) >= state[0];
  }
}

__global__ void __launch_bounds__(kBlockThreads)
    nm_kernel(const float* weight, uint8_t* mask, const NmShape s, int n, int m) {
  const int64_t k = global_thread();
  if (k >= s.outer * s.length * s.inner) return;
  const int64_t i = k % s.inner, l = k / s.inner % s.length, o = k / s.inner / s.length;
  const int64_t base = (o * s.length + l / m * m) * s.inner + i;
  mask[k] = nm_keeps(weight + base, s.inner, static_cast<int>(l % m), n, m);
}

}  // namespace

void magnitude_mask_cuda(const MaskSegment* segments, int64_t count, int64_t prune,
                         uint32_t* histogram, uint64_t* state, CUstream_st* stream) {
  int64_t elements = 0;
  for (int64_t s = 0; s < count; ++s) elements += segments[s].count;
  for (int64_t s = 0; s < count && prune >= elements; ++s) {
    cudaMemsetAsync(segments[s].mask, 0, static_cast<size_t>(segments[s].count), stream);
  }
  if (prune >= elements) return check_launch("magnitude_mask");
  start_kernel<<<1, 1, 0, stream>>>(state, static_cast<uint64_t>(prune));
  for (int digit = 0; digit < kDigits; ++digit) {
    cudaMemsetAsync(histogram, 0, sizeof(uint32_t) * kDigitValues, stream);
    for (int64_t s = 0; s < count; ++s) {
      if (segments[s].count == 0) continue;
      count_kernel<<<blocks_for(segments[s].count), kBlockThreads, 0, stream>>>(segments[s], state,
                                                                                histogram, digit);
    }
    select_kernel<<<1, kBlockThreads, 0, stream>>>(histogram, state, digit);
  }
  for (int64_t s = 0; s < count; ++s) {
    if (segments[s].count == 0) continue;
    mask_kernel<<<blocks_for(segments[s].count), kBlockThreads, 0, stream>>>(segments[s], state);
  }
  check_launch("magnitude_mask");
}

void nm_mask_cuda(const float* weight, uint8_t* mask, const NmShape& s, int n, int m,
                  CUstream_st* stream) {
  const unsigned blocks = blocks_for(s.outer * s.length * s.inner);
  nm_kernel<<<blocks, kBlockThreads, 0, stream>>>(weight, mask, s, n, m);
  check_launch("nm_mask");
}

}  // namespace lampyris
