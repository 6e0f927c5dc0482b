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

// Densities above which tiles win over event kernels, 3 x 3, 16 images, one thread of a Sapphire
// Rapids class processor. To float32 accuracy: 12 to 15 % at 64 to 64 channels on 40 x 40, 128 on
// 20 x 20, 256 on 10 x 10 and 32 to 64 on 80 x 80. With operands rounded to bfloat16: 2 to 4 %.
// Gradient of the weights to float32 accuracy: 10 %.
constexpr double kExactDensity = 0.12, kRoundedDensity = 0.03, kGradWeightDensity = 0.10;
constexpr int64_t kLeastChannels = 32;  // one step of depth; narrower groups leave tiles empty

bool tiles_fit(const SpikeConv2dShape& s) {
  return tile_policy() != TilePolicy::kNone && s.group_in() >= kLeastChannels;
}

}  // namespace

int forward_parts(const SpikeConv2dShape& s, bool exact, double density) {
  if (!tiles_fit(s) || density < (exact ? kExactDensity : kRoundedDensity)) return 0;
  return exact ? 3 : 1;
}

int grad_weight_parts(const SpikeConv2dShape& s, bool exact, double density) {
  if (!tiles_fit(s) || (exact && density < kGradWeightDensity)) return 0;
  return exact ? 3 : 1;
}

int grad_input_parts(const SpikeConv2dShape& s, bool exact) {
  if (!tiles_fit(s) || s.group_out() < kLeastChannels) return 0;
  return exact ? 3 : 1;
}

std::string tile_kernel_name(int parts) {
  const char* mark = tile_policy() == TilePolicy::kEmulated ? " emulated" : "";
  return parts == 1 ? text("amx bf16{}", mark) : text("amx bf16x{}{}", parts, mark);
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
