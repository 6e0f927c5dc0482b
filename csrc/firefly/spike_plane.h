// Spikes of one layer's input, all channels of a pixel side by side in 64-bit words and a border of
// zeros where the layer pads: [t][y][x][word].
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firefly/command.h"

namespace lampyris::firefly {

struct SpikePlanes {
  int steps = 0, rows = 0, columns = 0, words = 0;
  std::vector<uint64_t> bits;

  const uint64_t* at(int t, int y, int x) const {
    const int64_t pixel = (int64_t{t} * rows + y) * columns + x;
    return bits.data() + pixel * words;
  }
};

struct PlaneShape {
  int steps, tiles, height, width;
  int top, bottom, left, right;  // padding
};

// Channel c of a pixel is bit c % 64 of word c / 64. The areas must lie inside `memory`.
SpikePlanes load_planes(std::span<const uint8_t> memory, const Area& source,
                        const PlaneShape& shape, int parallelism);

}  // namespace lampyris::firefly
