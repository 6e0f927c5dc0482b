// What the host's processor computes: the stem in int32, and on v1 its neuron and the output
// convolution. Contract sections 2 (input, output) and 4.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "firefly/plan.h"
#include "firefly/program.h"

namespace lampyris::firefly {

// Checked record of a stem. Proves |acc + b32| < 2^24 from the weights (pixels up to 255).
// Throws std::invalid_argument.
HostStem make_stem(const StemSpec& spec, int time_steps);

std::pair<int, int> stem_output_size(const HostStem& stem);

// Least and largest current over all pixels, before sat16.
std::pair<int64_t, int64_t> stem_range(const HostStem& stem, std::span<const int8_t> weight,
                                       std::span<const int32_t> bias);

struct StemResult {
  std::vector<int16_t> currents;  // [in_steps][C][H][W], x = sat16(shift_round(acc + b32, k))
  int64_t clamped = 0;
};

// `pixels` [in_steps][Ci][H][W], `weight` [Co][Ci][kh][kw].
StemResult run_stem(const HostStem& stem, std::span<const int8_t> weight,
                    std::span<const int32_t> bias, std::span<const uint8_t> pixels);

struct StemSpikes {
  std::vector<uint8_t> fired;     // [T][C][H][W], 0 or 1
  std::vector<int32_t> membrane;  // after reset
};

// v1: neurons on the stem's currents, 18-bit wrap.
StemSpikes run_stem_neuron(const HostStem& stem, std::span<const int16_t> currents, int time_steps);

// v1: int32 [Co][H][W] = sum over t of P + B. `spikes` [T][Ci][H][W].
std::vector<int32_t> run_host_output(const HostOutput& output, std::span<const int8_t> weight,
                                     std::span<const int16_t> bias, std::span<const uint8_t> spikes,
                                     int time_steps, int height, int width);

}  // namespace lampyris::firefly
