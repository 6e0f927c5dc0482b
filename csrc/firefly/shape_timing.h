// Cycles of a released chain from its shapes alone, also where a shape breaks a limit of the build:
// for tables of networks whose weights nobody has.
#pragma once

#include <span>
#include <string>

#include "firefly/timing.h"

namespace lampyris::firefly {

struct V1Shape {
  bool linear = false, pool = false;
  int in_channels = 1, out_channels = 1;
  int height = 1, width = 1;  // of the input
};

// Registers of the layer; addresses are 0.
V1Command shape_command(const V1Shape& shape, int steps, int parallelism);
// First limit of the build that the layer breaks, or "".
std::string shape_limit(const V1Shape& shape, int steps, const Config& config);
Timing shape_timing(std::span<const V1Shape> shapes, int steps, const Config& config);

}  // namespace lampyris::firefly
