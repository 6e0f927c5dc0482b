// Max-pooling of spikes as OR of packed words. The gradient of a window goes to the element that
// torch's max_pool2d picks: the first spike in scan order, and the first element of a window
// without spikes.
#pragma once

#include <cstdint>

#include "core/attributes.h"

struct CUstream_st;

namespace lampyris {

// Maps [images, height, width] of `width_words` words each, packed along C; windows kernel x
// kernel at distance stride, all inside the map. CUDA takes 32-bit sides: 64-bit divisions are
// calls there.
template <typename Int>
struct SpikePoolOf {
  Int images = 0, channels = 0, height = 0, width = 0;
  Int kernel = 1, stride = 1;

  LAMPYRIS_INLINE Int words() const { return (channels + 31) / 32; }
  LAMPYRIS_INLINE Int out_height() const { return (height - kernel) / stride + 1; }
  LAMPYRIS_INLINE Int out_width() const { return (width - kernel) / stride + 1; }
  // First window that covers row or column `at`, and one past the last.
  LAMPYRIS_INLINE Int first_window(Int at) const {
    return at < kernel ? 0 : (at - kernel) / stride + 1;
  }
  LAMPYRIS_INLINE Int last_window(Int at, Int windows) const {
    const Int last = at / stride + 1;
    return last < windows ? last : windows;
  }
};
using SpikePool = SpikePoolOf<int64_t>;

// OR over the window whose first element is `corner`.
template <typename Int>
LAMPYRIS_INLINE uint32_t pool_word(const uint32_t* corner, const SpikePoolOf<Int>& p) {
  const Int words = p.words(), row = p.width * words;
  uint32_t any = 0;
  for (Int y = 0; y < p.kernel; ++y) {
    for (Int x = 0; x < p.kernel; ++x) any |= corner[y * row + x * words];
  }
  return any;
}

// Channels whose gradient in that window goes to its element (y, x).
template <typename Int>
LAMPYRIS_INLINE uint32_t pool_owners(const uint32_t* corner, const SpikePoolOf<Int>& p, Int y, Int x) {
  const Int words = p.words(), row = p.width * words;
  if (y == 0 && x == 0) return *corner | ~pool_word(corner, p);
  uint32_t before = 0;
  for (Int j = 0; j <= y; ++j) {
    const Int count = j < y ? p.kernel : x;
    for (Int i = 0; i < count; ++i) before |= corner[j * row + i * words];
  }
  return corner[y * row + x * words] & ~before;
}

// Rows [begin, end) of all images together: of the result; of the gradient of the spikes, from
// grad_out [images, out_height, out_width, channels] to grad_in [images, height, width, channels].
void spike_max_pool2d_rows(const SpikePool& p, const uint32_t* in, uint32_t* out, int64_t begin,
                           int64_t end);
void spike_max_pool2d_grad_rows(const SpikePool& p, const uint32_t* in, const float* grad_out,
                                float* grad_in, int64_t begin, int64_t end);
void spike_max_pool2d_grad_rows(const SpikePool& p, const uint32_t* in, const double* grad_out,
                                double* grad_in, int64_t begin, int64_t end);

void spike_max_pool2d_cuda(const SpikePool& p, const uint32_t* in, uint32_t* out,
                           CUstream_st* stream);
void spike_max_pool2d_grad_cuda(const SpikePool& p, const uint32_t* in, const float* grad_out,
                                float* grad_in, CUstream_st* stream);
void spike_max_pool2d_grad_cuda(const SpikePool& p, const uint32_t* in, const double* grad_out,
                                double* grad_in, CUstream_st* stream);

}  // namespace lampyris
