// One thread an output value; one warp a weight's gradient, its pixels strided over the lanes.
#include "ops/launch.cuh"
#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

namespace {

__device__ inline bool spike(const uint32_t* words, const SpikeConv2dShape& s, int64_t n, int64_t y,
                             int64_t x, int64_t c) {
  const int64_t pixel = (n * s.in_height + y) * s.in_width + x;
  return (words[pixel * s.words_per_pixel() + c / 32] >> (c % 32) & 1U) != 0;
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) conv_kernel(const SpikeConv2d<T> a) {
  const SpikeConv2dShape s = a.shape;
  const int64_t e = global_thread();
  if (e >= s.outputs()) return;
  const int64_t o = e % s.out_channels, x = e / s.out_channels % s.out_width();
  const int64_t r = e / s.out_channels / s.out_width();
  const int64_t y = r % s.out_height(), n = r / s.out_height();
  const int64_t first = o / s.group_out() * s.group_in();
  const T* weight = a.weight + o * s.group_in() * s.taps();
  T sum = a.bias != nullptr ? a.bias[o] : T(0);
  for (int64_t tap = 0; tap < s.taps(); ++tap) {
    const int64_t iy = y * s.stride + tap / s.kernel_width - s.padding;
    const int64_t ix = x * s.stride + tap % s.kernel_width - s.padding;
    if (iy < 0 || iy >= s.in_height || ix < 0 || ix >= s.in_width) continue;
    for (int64_t c = 0; c < s.group_in(); ++c) {
      if (spike(a.words, s, n, iy, ix, first + c)) sum += weight[c * s.taps() + tap];
    }
  }
  a.out[e] = sum;
}

template <typename T>
__global__ void __launch_bounds__(kBlockThreads) grad_kernel(const SpikeConv2dGradWeight<T> a) {
  const SpikeConv2dShape s = a.shape;
  const int64_t e = global_thread() / kWarp;
  if (e >= s.weights()) return;
  const int64_t tap = e % s.taps(), c = e / s.taps() % s.group_in();
  const int64_t o = e / s.taps() / s.group_in();
  const int64_t channel = o / s.group_out() * s.group_in() + c;
  const int64_t pixels = s.images * s.out_height() * s.out_width();
  T sum = 0;
  for (int64_t p = threadIdx.x % kWarp; p < pixels; p += kWarp) {
    const int64_t x = p % s.out_width(), r = p / s.out_width();
    const int64_t y = r % s.out_height(), n = r / s.out_height();
    const int64_t iy = y * s.stride + tap / s.kernel_width - s.padding;
    const int64_t ix = x * s.stride + tap % s.kernel_width - s.padding;
    if (iy < 0 || iy >= s.in_height || ix < 0 || ix >= s.in_width) continue;
    if (spike(a.words, s, n, iy, ix, channel)) sum += a.grad[p * s.out_channels + o];
  }
  for (int offset = kWarp / 2; offset > 0; offset /= 2) {
    sum += __shfl_down_sync(0xFFFFFFFFU, sum, offset);
  }
  if (threadIdx.x % kWarp == 0) a.grad_weight[e] = sum;
}

template <typename T>
void forward(const SpikeConv2d<T>& a, cudaStream_t stream) {
  conv_kernel<<<blocks_for(a.shape.outputs()), kBlockThreads, 0, stream>>>(a);
  check_launch("spike_conv2d");
}

template <typename T>
void grad_weight(const SpikeConv2dGradWeight<T>& a, cudaStream_t stream) {
  grad_kernel<<<blocks_for(a.shape.weights() * kWarp), kBlockThreads, 0, stream>>>(a);
  check_launch("_spike_conv2d_grad_weight");
}

}  // namespace

void spike_conv2d_cuda(const SpikeConv2d<float>& a, CUstream_st* s) { forward(a, s); }
void spike_conv2d_cuda(const SpikeConv2d<double>& a, CUstream_st* s) { forward(a, s); }

void spike_conv2d_grad_weight_cuda(const SpikeConv2dGradWeight<float>& a, CUstream_st* s) {
  grad_weight(a, s);
}

void spike_conv2d_grad_weight_cuda(const SpikeConv2dGradWeight<double>& a, CUstream_st* s) {
  grad_weight(a, s);
}

}  // namespace lampyris
