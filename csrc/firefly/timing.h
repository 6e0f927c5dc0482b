// Cycles of a command from the structure of the machine (facts of the released source), never
// fitted to published frame rates. Array, line buffer and weight path follow tile_schedule.h to the
// cycle; the spike and stream ports and the DDR bound the time of an output-channel tile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "firefly/command.h"
#include "firefly/config.h"
#include "firefly/image.h"

namespace lampyris::firefly {

// All in cycles but the bytes. What elapses is
// total = compute + reload + flush + bias + fill + latency + stall.
struct CommandCycles {
  int64_t compute = 0;  // pixels through the array, every tile and time step
  int64_t reload = 0;   // the stationary registers refill while the array waits: P + 1 a tile
  int64_t flush = 0;    // line buffer, W + 1 per output tile and time step
  int64_t bias = 0;     // before the first weights
  int64_t fill = 0;     // first weight tile, beyond its reload
  int64_t latency = 0;  // pipeline and adder tree, once
  // Cycles that the streams need, side by side with the above.
  int64_t weights = 0;   // weight DMA
  int64_t input = 0;     // spike DMA in, sent again for every output tile
  int64_t residual = 0;  // stream DMA in
  int64_t output = 0;    // DMA out: spikes, streams, accumulators
  int64_t memory = 0;    // all bytes at the DDR cap
  // Waiting, by what is waited for; `stall` is their sum.
  int64_t stall_weights = 0, stall_input = 0, stall_residual = 0, stall_output = 0;
  int64_t stall_memory = 0;
  int64_t stall = 0;
  int64_t total = 0;
  int64_t bytes = 0;         // moved between DDR and the chip
  int64_t weight_bytes = 0;  // of these, parameters
  int64_t dense_ops = 0;     // 2 per multiply-accumulate of the dense layer, all time steps

  CommandCycles& operator+=(const CommandCycles& other);
};

// Cycles from an operand at the array's input to its spike at the output FIFO.
int matrix_latency(const Config& config);    // array and its adder tree
int membrane_latency(const Config& config);  // unified buffer, neuron, maximum tree

// How often the weights of an output tile are read from DDR: once, or in every time step when they
// do not fit the reuse FIFO (possible on the extension only).
int weight_passes(const Command& command, const Config& config);

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
// On any build; its P must be the image's.
Timing image_timing(const Image& image, const Config& config);

}  // namespace lampyris::firefly
