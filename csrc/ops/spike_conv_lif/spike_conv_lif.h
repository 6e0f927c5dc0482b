// A folded block at inference: convolution of packed spikes, residual current, neurons over all T,
// packed spikes out. Output rows are worked off in tiles: for each step the currents of a tile go
// to a buffer in cache, the neurons take them from there, and memory sees bits only (and the
// currents where a stream is asked for).
//   float32: X = P + bias + residual
//   exact:   X = sat16((P << shift) + bias + residual), U = sat18(floor(charge)), contract 2 and 3
//   scaled:  X = (P scale + bias) + residual with P exact
#pragma once

#include <cstdint>

#include "core/neuron.h"
#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

class SpikeWeights;

enum class CurrentForm { kFloat, kExact, kScaled };

// One value for every channel, or one each.
struct ChannelValue {
  const float* values = nullptr;
  float value = 0;

  LAMPYRIS_INLINE float at(int64_t channel) const {
    return values == nullptr ? value : values[channel];
  }
};

struct SpikeConvLif {
  SpikeConv2dShape conv;  // image n = t batch + b
  int64_t steps = 0, batch = 0;
  CurrentForm form = CurrentForm::kFloat;
  const uint32_t* words = nullptr;
  // float32, or int8, int32 and int16 in the exact form (bias and residual float32 when scaled).
  const void* weight = nullptr;    // [Co, Ci / G, kh, kw]
  const void* bias = nullptr;      // [Co] or null
  const void* residual = nullptr;  // [T, B, H', W', Co] or null
  void* stream = nullptr;          // the same or null
  int shift = 0;
  ChannelValue scale, decay, threshold, gain;
  float v_reset = 0;
  Reset reset = Reset::kHard;
  bool inclusive = false;
  const float* v_init = nullptr;  // [B, H', W', Co] or null
  float* membrane = nullptr;      // the same or null
  uint32_t* out = nullptr;        // [T, B, H', W', ceil(Co / 32)]

  LAMPYRIS_INLINE int64_t out_words() const { return (conv.out_channels + 31) / 32; }
};

// Tiles of all batch elements.
int64_t spike_conv_lif_tiles(const SpikeConvLif& a);

// Tiles [begin, end). `int8` (exact and scaled form) or `rows` (float, from pack_event_weights, or
// null for the plain kernel) hold the weights.
void spike_conv_lif(const SpikeConvLif& a, const SpikeWeights* int8, const float* rows,
                    int64_t begin, int64_t end);

void spike_conv_lif_cuda(const SpikeConvLif& a, CUstream_st* stream);

}  // namespace lampyris
