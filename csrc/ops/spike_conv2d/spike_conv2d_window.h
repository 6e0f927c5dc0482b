// The gradient of the spikes where a neuron can use it. A surrogate of finite support (rectangle)
// is 0 outside its window, so dX of a convolution behind a neuron is read only where the window bit
// of the neuron's saved codes is set: each such value is one dot product over taps and output
// channels, and the others are 0. Stride 1, one group.
#pragma once

#include <cstdint>

#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

// Image n = t B + b of the maps is step t of the neurons of batch element b.
struct WindowGrad {
  SpikeConv2dShape shape;
  int64_t batch = 1;
  const uint8_t* codes = nullptr;  // [ceil(T / 4), B H W Ci] (core/neuron.h), Ci innermost
  const float* grad = nullptr;     // [N, H', W', Co]
  const void* weight = nullptr;    // window_weights()
  float* grad_in = nullptr;        // [N, H, W, Ci]
};

// Output channels are padded to whole registers of either operand type.
inline constexpr int64_t kWindowLanes = 32;
inline int64_t window_channels(const SpikeConv2dShape& s) {
  return (s.out_channels + kWindowLanes - 1) / kWindowLanes * kWindowLanes;
}

bool windows_fit(const SpikeConv2dShape& s);

// Weights as the kernels read them: [Ci, taps, window_channels] float32, or bfloat16 when narrow,
// for input channels [begin, end).
void pack_window_weights(const SpikeConv2dShape& s, const float* weight, bool narrow, void* packed,
                         int64_t begin, int64_t end);

// Pieces of work: blocks of rows of an image.
int64_t window_tiles(const SpikeConv2dShape& s, bool narrow);

// Tiles [begin, end). narrow: products of bfloat16 pairs summed in float32, for processors with
// has_avx512_bf16(); else float32.
void window_grad(const WindowGrad& a, bool narrow, int64_t begin, int64_t end);

// Set window bits.
int64_t count_windows(const uint8_t* codes, int64_t count);

}  // namespace lampyris
