// The event-driven kernels in float32. Weights are repacked so that the row a spike adds is
// contiguous: [group][block][ky][kx][channel][row], a block being up to 64 output channels of a
// group and `row` its width padded to 16 lanes. The spikes of a pixel row are a list of byte
// offsets (x Ci/G + c) row sizeof(float) in (x, c) order: those under a kernel row are one range of
// it, and their weights lie at one base pointer plus the offset.
#pragma once

#include <algorithm>

#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

inline constexpr int64_t kEventLanes = 16;

// Output channels of one group in blocks of 1 to 4 vectors, as even as can be.
struct EventBlocks {
  int64_t channels, vectors, count;

  LAMPYRIS_INLINE explicit EventBlocks(int64_t group_out)
      : channels(group_out),
        vectors((group_out + kEventLanes - 1) / kEventLanes),
        count((vectors + 3) / 4) {}

  LAMPYRIS_INLINE int64_t first(int64_t block) const {
    return block * vectors / count * kEventLanes;
  }
  // Channels of a block, and of the widest one padded to lanes.
  LAMPYRIS_INLINE int64_t size(int64_t block) const {
    return std::min(first(block + 1), channels) - first(block);
  }
  LAMPYRIS_INLINE int64_t row() const { return (vectors + count - 1) / count * kEventLanes; }
};

// Event offsets are 32-bit.
LAMPYRIS_INLINE bool events_fit(const SpikeConv2dShape& s) {
  constexpr int64_t kMostOffset = int64_t{1} << 31;
  const int64_t columns = s.in_width + 2 * s.padding;
  return columns * s.group_in() * 4 * kEventLanes * static_cast<int64_t>(sizeof(float)) <
         kMostOffset;
}

// Floats of the packed weights.
LAMPYRIS_INLINE int64_t event_weights(const SpikeConv2dShape& s) {
  const EventBlocks blocks(s.group_out());
  return s.groups * blocks.count * s.taps() * s.group_in() * blocks.row();
}

// Packs (group, block) pairs [begin, end) of groups * blocks.count.
void pack_event_weights(const SpikeConv2dShape& s, const float* weight, float* packed,
                        int64_t begin, int64_t end);

// Output rows [begin, end) of images * out_height. The order of every sum is that of the events,
// kernel row by kernel row: results do not depend on the ranges.
void spike_conv2d_event(const SpikeConv2d<float>& a, const float* packed, int64_t begin,
                        int64_t end);

}  // namespace lampyris
