// spike_conv2d on matrix tiles (cpu/tiles.h), dense in the spikes: as fast at any density. Spikes
// are exact in bfloat16; weights and gradients are sums of 1 to 3 bfloat16 parts (a split). Errors
// against exact arithmetic, as a share of the largest |result|: three parts 2-4e-7, like a float32
// sum in another order; two 2-6e-6; one 2-4e-3, that of rounding the operands to bfloat16. float32
// denormals count as 0.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cpu/tile_policy.h"
#include "ops/spike_conv2d/spike_conv2d.h"

namespace lampyris {

// Runs range(b, e) over [begin, end) in pieces of at least `grain`: lampyris::parallel or torch's.
using RunRanges = std::function<void(int64_t begin, int64_t end, int64_t grain,
                                     const std::function<void(int64_t, int64_t)>& range)>;

// How many parts to use for a result, 0 where another kernel is faster or there are no tiles.
// `exact`: to float32 accuracy; else the operands may be rounded to bfloat16.
int forward_parts(const SpikeConv2dShape& s, bool exact, double density);
int grad_weight_parts(const SpikeConv2dShape& s, bool exact, double density);
int grad_input_parts(const SpikeConv2dShape& s, bool exact);

// "amx bf16x3", "amx bf16"; marked where tiles are emulated.
std::string tile_kernel_name(int parts);

// parts: 3 (float32 accuracy), 2 or 1 (bfloat16 weights).
void spike_conv2d_tiles(const SpikeConv2d<float>& a, int parts, TilePolicy policy,
                        const RunRanges& run);

// dW; parts of the gradient of the output.
void spike_conv2d_grad_weight_tiles(const SpikeConv2dGradWeight<float>& a, int parts,
                                    TilePolicy policy, const RunRanges& run);

// dX = the gradient of the output under the flipped weights, both split: parts 1, 2 (3 products) or
// 3 (6 products).
struct SpikeConv2dGradInput {
  SpikeConv2dShape shape;
  const float* grad = nullptr;    // [N, H', W', Co]
  const float* weight = nullptr;  // [Co, Ci / G, kh, kw]
  float* grad_input = nullptr;    // [N, H, W, Ci]
};
void spike_conv2d_grad_input_tiles(const SpikeConv2dGradInput& a, int parts, TilePolicy policy,
                                   const RunRanges& run);

}  // namespace lampyris
