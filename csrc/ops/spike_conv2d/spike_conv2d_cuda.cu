// float32 on the tensor cores; float64, and groups that share words, one thread an output value.
#include "ops/launch.cuh"
#include "ops/spike_conv2d/spike_conv2d_gemm.h"
#include "ops/spike_gemm.cuh"

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
void forward(const SpikeConv2d<T>& a, cudaStream_t stream) {
  conv_kernel<<<blocks_for(a.shape.outputs()), kBlockThreads, 0, stream>>>(a);
  check_launch("spike_conv2d");
}

}  // namespace

void spike_conv2d_cuda(const SpikeConv2d<float>& a, CUstream_st* s) { forward(a, s); }
void spike_conv2d_cuda(const SpikeConv2d<double>& a, CUstream_st* s) { forward(a, s); }

void spike_conv2d_gemm_cuda(const SpikeConv2d<float>& a, bool to_bfloat16, uint16_t* packed,
                            CUstream_st* stream) {
  const SpikeConv2dShape& s = a.shape;
  for (int64_t group = 0; group < s.groups; ++group) {
    const SpikeGemm g = group_gemm(a, group, packed);
    const PixelWords words = pixel_words(s, a.words, group);
    const int64_t depth = s.group_in() * s.taps();
    const float* weight = a.weight + group * s.group_out() * depth;
    if (to_bfloat16) {
      launch_spike_gemm<1>(g, words, weight, depth, tap_places(s), packed, stream);
    } else {
      launch_spike_gemm<3>(g, words, weight, depth, tap_places(s), packed, stream);
    }
  }
  check_launch("spike_conv2d");
}

}  // namespace lampyris
