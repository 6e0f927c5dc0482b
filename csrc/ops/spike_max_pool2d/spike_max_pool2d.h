// Max-pooling of spikes as OR of packed words. The gradient of a window goes to the element that
// torch's max_pool2d picks: the first spike in scan order, and the first element of a window
// without spikes.
#pragma once

#include <cstdint>

#include "core/attributes.h"

struct CUstream_st;

namespace lampyris {

// Maps [images, height, width] of `width_words` words each, packed along C; windows kernel x
// kernel at distance stride, all inside the map.
struct SpikePool {
  int64_t images = 0, channels = 0, height = 0, width = 0;
  int64_t kernel = 1, stride = 1;

  LAMPYRIS_INLINE int64_t words() const { return (channels + 31) / 32; }
  LAMPYRIS_INLINE int64_t out_height() const { return (height - kernel) / stride + 1; }
  LAMPYRIS_INLINE int64_t out_width() const { return (width - kernel) / stride + 1; }
  // First window that covers row or column `at`, and one past the last.
  LAMPYRIS_INLINE int64_t first_window(int64_t at) const {
    return at < kernel ? 0 : (at - kernel) / stride + 1;
  }
  LAMPYRIS_INLINE int64_t last_window(int64_t at, int64_t windows) const {
    const int64_t last = at / stride + 1;
    return last < windows ? last : windows;
  }
};

// OR over the window whose first element is `corner`.
LAMPYRIS_INLINE uint32_t pool_word(const uint32_t* corner, const SpikePool& p) {
  const int64_t words = p.words(), row = p.width * words;
  uint32_t any = 0;
  for (int64_t y = 0; y < p.kernel; ++y) {
    for (int64_t x = 0; x < p.kernel; ++x) any |= corner[y * row + x * words];
  }
  return any;
}

// Channels whose gradient in that window goes to its element (y, x).
LAMPYRIS_INLINE uint32_t pool_owners(const uint32_t* corner, const SpikePool& p, int64_t y,
                                     int64_t x) {
  const int64_t words = p.words(), row = p.width * words;
  if (y == 0 && x == 0) return *corner | ~pool_word(corner, p);
  uint32_t before = 0;
  for (int64_t j = 0; j < y * p.kernel + x; ++j) {
    before |= corner[j / p.kernel * row + j % p.kernel * words];
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
