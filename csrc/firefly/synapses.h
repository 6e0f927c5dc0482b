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

// Exact sums P of one layer. `planes` must outlive it.
class Synapses {
 public:
  // `packed` in the order (o i kr kc) ip op.
  Synapses(const int8_t* packed, const SpikePlanes& planes, const SynapseShape& shape);

  int outputs() const { return static_cast<int>(weights_.shape().outputs); }

  // Output row y at step t: [out_w][outputs].
  void row(int t, int y, int32_t* sums);

 private:
  const SpikePlanes& planes_;
  SpikeWeights weights_;
  SpikeTile tile_;
};

// The released accelerator's order: one input-channel tile at a time, 16-bit sums that wrap.
class TileSynapses {
 public:
  TileSynapses(const int8_t* packed, const SpikePlanes& planes, const SynapseShape& shape);

  // Proven from the weights: no sum over one tile leaves 16 bits, whatever the spikes.
  bool fit() const { return fit_; }

  // The sum over input tile `tile` only: [out_w][outputs].
  void row(int t, int y, int tile, int32_t* sums) const;

 private:
  friend struct TileRow;
  void prove();

  const SpikePlanes& planes_;
  SynapseShape shape_;
  int64_t lanes_;              // outputs, rounded up to vectors
  std::vector<int16_t> rows_;  // [tap][channel][lanes]
  bool fit_ = true;
};

}  // namespace lampyris::firefly
