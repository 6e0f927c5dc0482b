// Cycles of a command from the structure of the machine (facts of the released source), never
// fitted to published frame rates. Streams that run side by side overlap: an output-channel tile
// takes as long as its slowest stream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firefly/command.h"
#include "firefly/config.h"
#include "firefly/image.h"

namespace lampyris::firefly {

// All in cycles but the bytes. The first group runs side by side; `total` is what elapses.
struct CommandCycles {
  int64_t compute = 0;   // pixels through the array, every tile and time step
  int64_t reload = 0;    // P + 1 idle cycles a tile: the stationary registers refill
  int64_t flush = 0;     // line buffer drains, W + 1 per output tile and time step
  int64_t weights = 0;   // weight DMA
  int64_t input = 0;     // spike or stream DMA in, re-sent for every output tile
  int64_t residual = 0;  // stream DMA of the residual
  int64_t output = 0;    // DMA out: spikes, streams, accumulators
  int64_t memory = 0;    // all bytes at the DDR cap
  int64_t bias = 0;      // before the first tile
  int64_t fill = 0;      // first weight tile, before the array can start
  int64_t latency = 0;   // pipeline and adder tree, once
  int64_t stall = 0;     // total beyond compute + reload + flush + bias + fill + latency
  int64_t total = 0;
  int64_t bytes = 0;      // moved between DDR and the chip
  int64_t dense_ops = 0;  // 2 per multiply-accumulate of the dense layer, all time steps

  CommandCycles& operator+=(const CommandCycles& other);
};

CommandCycles command_cycles(const Command& command, const Config& config);
CommandCycles v1_cycles(const V1Command& command, const Config& config);

struct LayerTiming {
  std::string name;
  std::string op;
  int commands = 0;
  CommandCycles cycles;
};

struct Timing {
  Config config;
  std::vector<LayerTiming> layers;
  CommandCycles total;

  double frames_per_second() const;  // cores work on different frames
  double operations_per_second() const;
  double peak_operations_per_second() const;  // 2 f M N, all cores
};

// Decodes the registers of every command. `preset` "" takes the image's. P is the image's.
// Throws std::invalid_argument for a preset that does not exist.
Timing image_timing(const Image& image, const std::string& preset);

}  // namespace lampyris::firefly
