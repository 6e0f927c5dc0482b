// Convolution of spikes given as bits: out[n, o, y, x] = bias[o] + sum over c, i, j of
// weight[o, c, i, j] spikes[n, g Ci/G + c, y s + i - p, x s + j - p], g the group of o, zeros
// outside. No products: every spike adds a row of the weights, in float32 (or float64).
#pragma once

#include <cstdint>

#include "core/attributes.h"

struct CUstream_st;

namespace lampyris {

struct SpikeConv2dShape {
  int64_t images = 0, in_channels = 0, in_height = 0, in_width = 0;
  int64_t out_channels = 0, kernel_height = 0, kernel_width = 0;
  int64_t stride = 1, padding = 0, groups = 1;

  LAMPYRIS_INLINE int64_t out_height() const {
    return (in_height + 2 * padding - kernel_height) / stride + 1;
  }
  LAMPYRIS_INLINE int64_t out_width() const {
    return (in_width + 2 * padding - kernel_width) / stride + 1;
  }
  // Channels that one group reads and writes.
  LAMPYRIS_INLINE int64_t group_in() const { return in_channels / groups; }
  LAMPYRIS_INLINE int64_t group_out() const { return out_channels / groups; }
  LAMPYRIS_INLINE int64_t taps() const { return kernel_height * kernel_width; }
  LAMPYRIS_INLINE int64_t words_per_pixel() const { return (in_channels + 31) / 32; }
  LAMPYRIS_INLINE int64_t image_words() const { return in_height * in_width * words_per_pixel(); }
  LAMPYRIS_INLINE int64_t spikes() const { return images * in_channels * in_height * in_width; }
  LAMPYRIS_INLINE int64_t weights() const { return out_channels * group_in() * taps(); }
  LAMPYRIS_INLINE int64_t outputs() const {
    return images * out_height() * out_width() * out_channels;
  }
};

// Output rows r = n out_height + y, r in [0, images out_height), are the unit of work.
template <typename T>
struct SpikeConv2d {
  SpikeConv2dShape shape;
  const uint32_t* words = nullptr;  // [N, H, W, ceil(Ci / 32)], pad bits 0
  const T* weight = nullptr;        // [Co, Ci / G, kh, kw]
  const T* bias = nullptr;          // [Co] or null
  T* out = nullptr;                 // [N, H', W', Co]
};

template <typename T>
struct SpikeConv2dGradWeight {
  SpikeConv2dShape shape;
  const uint32_t* words = nullptr;  // [N, H, W, ceil(Ci / 32)]
  const T* grad = nullptr;          // [N, H', W', Co]
  T* grad_weight = nullptr;         // [Co, Ci / G, kh, kw]
};

// Set bits of words [0, count).
int64_t count_spikes(const uint32_t* words, int64_t count);

// The plain kernels, for every shape: output rows [begin, end), and the gradients of the weights of
// input channel words [begin, end) of ceil(Ci / 32).
void spike_conv2d_rows(const SpikeConv2d<float>& a, int64_t begin, int64_t end);
void spike_conv2d_rows(const SpikeConv2d<double>& a, int64_t begin, int64_t end);
void spike_conv2d_grad_weight_words(const SpikeConv2dGradWeight<float>& a, int64_t begin,
                                    int64_t end);
void spike_conv2d_grad_weight_words(const SpikeConv2dGradWeight<double>& a, int64_t begin,
                                    int64_t end);

void spike_conv2d_cuda(const SpikeConv2d<float>& a, CUstream_st* stream);
void spike_conv2d_cuda(const SpikeConv2d<double>& a, CUstream_st* stream);

}  // namespace lampyris
