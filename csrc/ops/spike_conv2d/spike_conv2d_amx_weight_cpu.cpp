#include "ops/spike_conv2d/spike_conv2d_amx_weight_run.h"

namespace lampyris {

namespace {

template <class Tiles>
void grad_weight(const SpikeConv2dGradWeight<float>& a, int parts, const RunRanges& run) {
  if (parts == 1) return tiled_grad_weight<Tiles, 1>(a, run);
  if (parts == 2) return tiled_grad_weight<Tiles, 2>(a, run);
  tiled_grad_weight<Tiles, 3>(a, run);
}

}  // namespace

void spike_conv2d_grad_weight_tiles(const SpikeConv2dGradWeight<float>& a, int parts,
                                    TilePolicy policy, const RunRanges& run) {
  check_policy(policy);
#if defined(__x86_64__)
  if (policy == TilePolicy::kAmx) return grad_weight<AmxTiles>(a, parts, run);
#endif
  grad_weight<EmulatedTiles>(a, parts, run);
}

}  // namespace lampyris
