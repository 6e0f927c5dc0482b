// A released layer clock by clock through the memory system: parameter bus, weight path, line
// buffer, unified buffer. The array between them is a plain sum (the data paths "tree" and "cascade"
// clock the arrays); its latency is added at the end. Confirms tile_schedule.h.
#pragma once

#include <cstdint>
#include <span>

#include "firefly/command.h"
#include "firefly/config.h"
#include "firefly/tile_schedule.h"
#include "firefly/trace.h"

namespace lampyris::firefly {

struct LayerClock {
  int64_t cycles = 0;      // until the last spike has left
  int64_t windows = 0;     // that the array has worked on
  int64_t waiting = 0;     // cycles without a stationary tile
  int64_t most_words = 0;  // in the weight FIFO
  int64_t weight_beats = 0;
  LaneMap<uint8_t> fired;  // before pooling
  LaneMap<int32_t> membrane;
};

// `weights` and `bias` as the movers send them; the command must have passed check_v1.
LayerClock clock_layer(const V1Command& command, const Config& config,
                       std::span<const int8_t> weights, std::span<const int16_t> bias,
                       std::span<const uint8_t> memory);

// The same machine without data, for any shape (1 x 1 tiles, sets larger than the FIFO): cycle in
// which the last window has left. `taps` weights a word and output.
int64_t clock_tiles(const TileShape& shape, int taps, const Config& config);

}  // namespace lampyris::firefly
