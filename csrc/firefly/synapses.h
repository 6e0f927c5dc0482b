// The matrix unit on packed bits. Exact sums come from the kernels that the operators use
// (cpu/spike_sums.h); only the released accelerator's order of input tiles has a loop here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/spike_sums.h"
#include "firefly/spike_plane.h"

namespace lampyris::firefly {

struct SynapseShape {
  int co_tiles, ci_tiles, kernel, parallelism, stride;
  int out_h, out_w;
};

// Exact sums P of one layer. `planes` must outlive it. Threads may share it.
class Synapses {
 public:
  // `packed` in the order (o i kr kc) ip op.
  Synapses(const int8_t* packed, const SpikePlanes& planes, const SynapseShape& shape);

  int outputs() const { return static_cast<int>(weights_.shape().outputs); }

  // Rows that are best asked for at once.
  int strip() const { return strip_; }

  // Output rows [y, y + count) at step t: [count][out_w][outputs]. `scratch` is the thread's own.
  void rows(int t, int y, int count, SpikeTile& scratch, int32_t* sums) const;

 private:
  const SpikePlanes& planes_;
  SpikeWeights weights_;
  int strip_;
};

// Output rows that one thread should take at least, so that waking it pays.
int64_t grain_rows(const SynapseShape& shape, int steps);

// Proven from the weights: no sum over one input tile leaves 16 bits, whatever the spikes.
bool tile_sums_fit(const int8_t* packed, const SynapseShape& shape);

// The released accelerator's order: one input-channel tile at a time, 16-bit sums that wrap.
class TileSynapses {
 public:
  TileSynapses(const int8_t* packed, const SpikePlanes& planes, const SynapseShape& shape);

  // The sum over input tile `tile` only: [out_w][outputs].
  void row(int t, int y, int tile, int32_t* sums) const;

 private:
  friend struct TileRow;

  const SpikePlanes& planes_;
  SynapseShape shape_;
  int64_t lanes_;              // outputs, rounded up to vectors
  std::vector<int16_t> rows_;  // [tap][channel][lanes]
};

}  // namespace lampyris::firefly
