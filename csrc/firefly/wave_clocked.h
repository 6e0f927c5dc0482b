// The clocked half of wave.h. `memory` is written to as the command does.
#pragma once

#include <span>

#include "firefly/clocked_run.h"
#include "firefly/wave.h"

namespace lampyris::firefly {

// Windows of one output tile and time step are ci_tiles * pixels.
struct WaveCounts {
  int ci_tiles = 1, steps = 1, pixels = 1;
};

void wave_clocked(const Command& command, const Config& config, std::span<uint8_t> memory,
                  const WaveRequest& request, WaveFile& file);
void wave_clocked(const V1Command& command, const Config& config, std::span<const int8_t> weights,
                  std::span<const int16_t> bias, std::span<uint8_t> memory,
                  const WaveRequest& request, WaveFile& file);

}  // namespace lampyris::firefly
