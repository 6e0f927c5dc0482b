// The kernels behind cpu/spike_sums.h.
#pragma once

#include "cpu/spike_sums.h"

namespace lampyris {

inline constexpr int64_t kSumLanes = 64;  // outputs of a 64-byte row of weights
inline constexpr int64_t kChannelLanes = 32;
inline constexpr int64_t kVnniLanes = 16;   // int32 lanes of 64 bytes
inline constexpr int64_t kSumVectors = 4;  // sums kept in registers for a pixel, in 64 bytes
// 16-bit sums hold this many weights of [0, 255], whatever they are.
inline constexpr int64_t kEventsPerFlush = 257;
inline constexpr int64_t kChannelTaps = 255;
inline constexpr int64_t kVnniKernel = 15;  // most rows of a kernel

void load_events(SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end);
void event_sums(const SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end,
                int32_t* out, int64_t pitch);

void channel_sums(const SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end,
                  int32_t* out, int64_t pitch);

// A processor with AVX512-VNNI, not lowered by LAMPYRIS_ISA.
bool vnni_sums_available();
void load_bytes(SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end);
void vnni_sums(const SpikeTile& tile, const SpikeWeights& w, int64_t begin, int64_t end,
               int32_t* out, int64_t pitch);

}  // namespace lampyris
