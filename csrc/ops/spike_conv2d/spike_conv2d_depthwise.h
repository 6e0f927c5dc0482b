// Depthwise convolution of spikes: one input and one output channel a group. 16 channels at a time,
// a bit of the word each: the weights of a tap are added where the bits are set, dense in the
// spikes.
#pragma once

#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

LAMPYRIS_INLINE bool is_depthwise(const SpikeConv2dShape& s) {
  return s.groups == s.in_channels && s.out_channels == s.in_channels;
}

// Output rows [begin, end) of images * out_height.
void spike_conv2d_depthwise(const SpikeConv2d<float>& a, int64_t begin, int64_t end);

// The weights of channels [16 begin, 16 end).
void spike_conv2d_grad_weight_depthwise(const SpikeConv2dGradWeight<float>& a, int64_t begin,
                                        int64_t end);

}  // namespace lampyris
