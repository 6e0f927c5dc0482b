// The matrix unit on packed bits: every spike adds one row of weights to the lanes of all output
// channels. Sums are exact; where 16-bit partial sums could overflow they are widened in time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firefly/spike_plane.h"

namespace lampyris::firefly {

// Weights widened to 16 bits: row [tap][channel] of `lanes` output channels, lanes a multiple
// of 32.
struct Synapses {
  int taps = 1, kernel = 1, words = 1, lanes = 32;
  int outputs = 0;        // channels with weights, a multiple of P
  bool narrow = false;    // proven: no lane leaves 16 bits, whatever the spikes
  bool tiles_fit = true;  // proven: no sum over one input-channel tile leaves 16 bits
  std::vector<int16_t> rows;
};

// From the packed order (o i kr kc) ip op.
Synapses load_synapses(const int8_t* packed, int co_tiles, int ci_tiles, int kernel,
                       int parallelism);

struct RowJob {
  const Synapses* synapses;
  const SpikePlanes* planes;
  int t, y;           // step and output row
  int stride, width;  // output columns
  int32_t* sums;      // [width][lanes]
};

// Exact sums P of one output row.
void accumulate_row(const RowJob& job);

// The released accelerator's order: one input-channel tile at a time, 16-bit sums that wrap.
// Gives the sum over tile `tile` only.
void accumulate_tile_row(const RowJob& job, int tile, int parallelism);

}  // namespace lampyris::firefly
