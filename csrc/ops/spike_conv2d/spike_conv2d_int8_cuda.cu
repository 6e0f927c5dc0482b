// One thread an output: the set bits of its window, one weight each.
#include "ops/launch.cuh"
#include "ops/spike_conv2d/spike_conv2d_int8.h"

namespace lampyris {

namespace {

__global__ void __launch_bounds__(kBlockThreads) int8_kernel(const SpikeConv2dInt8 a) {
  const SpikeConv2dShape& s = a.shape;
  const int64_t k = global_thread();
  if (k >= s.outputs()) return;
  const int64_t o = k % s.out_channels, pixel = k / s.out_channels;
  const int64_t x = pixel % s.out_width(), row = pixel / s.out_width();
  const int64_t y = row % s.out_height(), n = row / s.out_height();
  const int64_t group_in = s.group_in(), taps = s.taps(), words = s.words_per_pixel();
  const int64_t first = o / s.group_out() * group_in, last = first + group_in;
  const int8_t* weight = a.weight + o * group_in * taps;
  int32_t sum = 0;
  for (int64_t tap = 0; tap < taps; ++tap) {
    const int64_t iy = y * s.stride - s.padding + tap / s.kernel_width;
    const int64_t ix = x * s.stride - s.padding + tap % s.kernel_width;
    if (iy < 0 || iy >= s.in_height || ix < 0 || ix >= s.in_width) continue;
    const uint32_t* spikes = a.words + ((n * s.in_height + iy) * s.in_width + ix) * words;
    for (int64_t w = first / kWarp; w * kWarp < last; ++w) {
      for (uint32_t bits = spikes[w]; bits != 0; bits &= bits - 1) {
        const int64_t c = w * kWarp + __ffs(static_cast<int>(bits)) - 1;
        if (c >= first && c < last) sum += weight[(c - first) * taps + tap];
      }
    }
  }
  sum = sum * (1 << a.shift) + (a.bias == nullptr ? 0 : a.bias[o]);
  a.out[k] = a.as_float ? __float_as_int(static_cast<float>(sum)) : sum;
}

}  // namespace

void spike_conv2d_int8_cuda(const SpikeConv2dInt8& a, CUstream_st* stream) {
  int8_kernel<<<blocks_for(a.shape.outputs()), kBlockThreads, 0, stream>>>(a);
  check_launch("spike_conv2d");
}

}  // namespace lampyris
