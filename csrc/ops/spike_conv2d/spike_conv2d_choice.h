// Which kernel a spike_conv2d pass runs. Matrix tiles come first where a processor has them
// (forward_parts() and its siblings in spike_conv2d_amx.h, which hold their own break-evens against
// the event-driven kernels); this is the choice among the rest.
//
//   pass     kernel                    when
//   forward  amx bf16x3, amx bf16      tiles, above their density
//            event float32 <isa>       density below break_even()
//            depthwise float32 <isa>   one channel in, one out a group
//            onednn float32            else: torch's convolution of the unpacked spikes
//   dW       the same four
//   dX       amx bf16x3, amx bf16      tiles
//            onednn bfloat16           "mixed", "bfloat16" where AVX512_BF16 makes it faster
//            onednn float32            else
//   plain float64 (forward, dW) for float64; CUDA has kernels of its own.
#pragma once

#include <algorithm>
#include <string>

#include "core/error.h"
#include "cpu/isa.h"
#include "ops/spike_conv2d/spike_conv2d_depthwise.h"
#include "ops/spike_conv2d/spike_conv2d_event.h"

namespace lampyris {

enum class ConvPass { kForward, kGradWeight };
enum class ConvKernel { kEvent, kDepthwise, kOnednn };

// Density up to which the event-driven kernels beat oneDNN in float32 with the unpacking it needs.
// Measured on one thread of a Zen 5 (AVX-512), 16 images, 2 to 90 % of spikes:
//   kernel  case                     forward    dW
//   3 x 3   64 to 64 at 40 x 40         0.65  0.77
//   3 x 3   128 to 128 at 20 x 20       0.62  0.72
//   3 x 3   256 to 256 at 10 x 10       0.64  0.81
//   3 x 3   32 to 64 at 80 x 80         0.67  0.83
//   3 x 3   64 to 128 at 40, stride 2   0.78  0.68
//   3 x 3   16 to 32 at 80 x 80         0.61  1.0
//   3 x 3   8 to 8 at 64 x 64           0.05  0.9
//   3 x 3   3 to 32 at 64 x 64          0.17  1.0
//   1 x 1   256 to 256 at 10 x 10       0.71  0.61
//   1 x 1   512 to 255 at 10 x 10       0.71  0.49
//   7 x 7   3 to 48 at 64, stride 2     0.66  0.67
// With oneDNN left at AVX-512 the AVX2 kernels reach 0.40 and 0.45, the baseline 0.16 and 0.24.
inline constexpr double kForwardBreakEven = 0.62;
inline constexpr double kForwardRangeCost = 10;  // of starting a range of events, in added vectors
inline constexpr double kGradWeightBreakEven = 0.7, kGradWeightBreakEven1x1 = 0.5;
inline constexpr double kAvx2Share = 0.65, kBaselineShare = 0.25;

inline double break_even(ConvPass pass, const SpikeConv2dShape& s) {
  const EventBlocks blocks(s.group_out());
  const double lanes = static_cast<double>(s.group_out()) /
                       static_cast<double>(blocks.vectors * kEventLanes);
  double density = s.taps() == 1 ? kGradWeightBreakEven1x1 : kGradWeightBreakEven;
  if (pass == ConvPass::kForward) {
    // Vectors that one range adds where every pixel spikes.
    const auto vectors =
        static_cast<double>(s.kernel_width * s.group_in() * blocks.row() / kEventLanes);
    density = kForwardBreakEven - kForwardRangeCost / vectors;
  }
  const Isa chosen = isa();
  return density * lanes *
         (chosen == Isa::kBase ? kBaselineShare : chosen == Isa::kAvx2 ? kAvx2Share : 1.0);
}

inline ConvKernel choose_kernel(ConvPass pass, const SpikeConv2dShape& s, double density) {
  if (is_depthwise(s)) return ConvKernel::kDepthwise;
  if (!events_fit(s)) return ConvKernel::kOnednn;
  return density < break_even(pass, s) ? ConvKernel::kEvent : ConvKernel::kOnednn;
}

inline std::string kernel_name(ConvKernel kernel) {
  if (kernel == ConvKernel::kOnednn) return "onednn float32";
  return text("{} float32 {}", kernel == ConvKernel::kEvent ? "event" : "depthwise",
              isa_name(std::min(isa(), Isa::kAvx512)));
}

}  // namespace lampyris
