// When every tile of a convolution computes: the weight path feeds the stationary registers, the
// array walks output tile, time step, input tile, pixel. Exact to the cycle (layer_clock.h is the
// same machine clock by clock), without looking at pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "firefly/config.h"

namespace lampyris::firefly {

struct TileShape {
  int64_t co_tiles = 1, steps = 1, ci_tiles = 1;
  int64_t pixels = 1;      // of one tile
  int64_t line = 0;        // pixels before the first window of a pass: W + 1 for 3 x 3
  int64_t word_beats = 1;  // of one presynaptic input's weights: P x taps bytes on the bus
  int64_t bias_beats = 0;  // before the first weights
  // Least time of an output tile by its other streams.
  int64_t least = 0;
};

struct TileTimes {
  int64_t reload = 0;         // while the registers refill, words at hand
  int64_t fill = 0;           // first tile, beyond its reload and the biases
  int64_t stall_weights = 0;  // later tiles, beyond their reload
  int64_t stall_least = 0;    // waiting for the other streams
  int64_t end = 0;            // the last window has left the line buffer
};

// Weights that do not fit the reuse FIFO pass through it in every time step.
bool weights_stay(int64_t ci_tiles, const Config& config);

TileTimes schedule_tiles(const TileShape& shape, const Config& config);

}  // namespace lampyris::firefly
