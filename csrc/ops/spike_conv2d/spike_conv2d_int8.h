// Exact sums of spikes with int8 weights on tensors' memory; the CPU's kernels are in
// cpu/spike_sums.h.
#pragma once

#include "cpu/spike_sums.h"
#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

inline SpikeSums spike_sums_of(const SpikeConv2dShape& s) {
  return {s.in_channels,  s.in_height,    s.in_width,      s.words_per_pixel(),
          s.out_channels, s.out_height(), s.out_width(),   s.kernel_height,
          s.kernel_width, s.stride,       s.padding,       s.groups};
}

struct SpikeConv2dInt8 {
  SpikeConv2dShape shape;
  const uint32_t* words = nullptr;  // [N, H, W, ceil(Ci / 32)], pad bits 0
  const int8_t* weight = nullptr;   // [Co, Ci / G, kh, kw]
  const int32_t* bias = nullptr;    // [Co] or null
  int shift = 0;                    // out = (P << shift) + bias
  int32_t* out = nullptr;           // [N, H', W', Co]
  bool as_float = false;            // out holds float32
};

void spike_conv2d_int8_cuda(const SpikeConv2dInt8& a, CUstream_st* stream);

}  // namespace lampyris
