#include "ops/spike_conv2d/spike_conv2d_amx_run.h"

namespace lampyris {

namespace {

template <class Tiles>
void forward(const SpikeConv2d<float>& a, int parts, const RunRanges& run) {
  if (parts == 1) return tiled_forward<Tiles, 1>(a, run);
  if (parts == 2) return tiled_forward<Tiles, 2>(a, run);
  tiled_forward<Tiles, 3>(a, run);
}

template <class Tiles>
void grad_input(const SpikeConv2dGradInput& a, int parts, const RunRanges& run) {
  if (parts == 1) return tiled_grad_input<Tiles, 1>(a, run);
  if (parts == 2) return tiled_grad_input<Tiles, 2>(a, run);
  tiled_grad_input<Tiles, 3>(a, run);
}

}  // namespace

bool tiles_fit(const SpikeConv2dShape& s) {
  constexpr int64_t kChannels = 32;  // one step of depth; below, event kernels do less work
  return s.group_in() >= kChannels;
}

void spike_conv2d_tiles(const SpikeConv2d<float>& a, int parts, TilePolicy policy,
                        const RunRanges& run) {
  check_policy(policy);
#if defined(__x86_64__)
  if (policy == TilePolicy::kAmx) return forward<AmxTiles>(a, parts, run);
#endif
  forward<EmulatedTiles>(a, parts, run);
}

void spike_conv2d_grad_input_tiles(const SpikeConv2dGradInput& a, int parts, TilePolicy policy,
                                   const RunRanges& run) {
  check_policy(policy);
#if defined(__x86_64__)
  if (policy == TilePolicy::kAmx) return grad_input<AmxTiles>(a, parts, run);
#endif
  grad_input<EmulatedTiles>(a, parts, run);
}

}  // namespace lampyris
