// What sums can reach, from the weights alone: the largest and smallest value over all spikes.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "firefly/plan.h"

namespace lampyris::firefly {

// Weights [out][in][taps]; a tile is `parallelism` input channels. Fills the tile and sum members.
Bounds weight_bounds(std::span<const int8_t> weight, int out, int in, int taps, int parallelism);

struct MembraneRule {
  Leak leak = Leak::kNone;
  int32_t theta = 0;
  bool winner = false;  // no reset
  int steps = 1;
};

// v1: adds the range of the 18-bit word over all T, bias included, to `bounds`. `every_pass`
// halving is bounded by the plain sum.
void membrane_bounds(Bounds& bounds, std::span<const int8_t> weight, std::span<const int16_t> bias,
                     int out, const MembraneRule& rule);

}  // namespace lampyris::firefly
