// The plan of a weight image: everything a driver, a report or a check needs to know that the
// registers do not say. Stored as canonical JSON in the image's header.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firefly/command.h"

namespace lampyris::firefly {

enum class Kind : uint8_t { kSpikes, kStream, kInt32 };
std::string_view kind_name(Kind kind);

// A map in the arena, (t)(channel tile)(h)(w)(p).
struct PlanMap {
  std::string name;
  Kind kind = Kind::kSpikes;
  int channels = 0, height = 0, width = 0;
  int steps = 1;        // 1 or T
  uint32_t offset = 0;  // bytes from the arena base
  uint32_t stride_t = 0, stride_c = 0;
  int ready = -1;       // layer after which it is complete; -1: written by the host
  bool result = false;  // read by no layer: what the network gives
  bool operator==(const PlanMap&) const = default;
};

struct PlanBand {
  int row0 = 0, row1 = 0;  // output rows of one command
  int writes = 0;          // its register writes
  bool operator==(const PlanBand&) const = default;
};

// Largest values that any spikes can give, from the weights alone.
struct Bounds {
  int64_t tile_low = 0, tile_high = 0;
  int64_t sum_low = 0, sum_high = 0;
  int64_t membrane_low = 0, membrane_high = 0;  // v1 only, over all T with the bias
  bool operator==(const Bounds&) const = default;
};

struct PlanLayer {
  std::string name;
  std::string op;  // conv, neuron, max_pool, upsample, copy, output, linear
  std::vector<std::string> inputs;
  std::string residual;
  // Names of what it gives, "" where it does not.
  std::string current;  // X of a convolution, stored or not
  std::string neuron;   // its spikes before pooling
  std::string spikes, stream, int32;
  int kernel = 1, stride = 1, padding = 0, shift = 0;
  int in_channels = 0, out_channels = 0;
  int neuron_height = 0, neuron_width = 0;  // output size before v1's pooling
  Leak leak = Leak::kNone;
  int k = 0;
  bool winner = false, pool = false;
  std::vector<int32_t> threshold;  // one, or one per output channel; empty without neuron
  std::vector<PlanBand> commands;
  std::optional<Bounds> bounds;
  bool operator==(const PlanLayer&) const = default;
};

struct HostStem {
  std::string name;
  int in_channels = 0, in_height = 0, in_width = 0, in_steps = 1;
  int out_channels = 0, kernel_h = 0, kernel_w = 0;
  int stride = 1, padding = 0, shift = 0, exponent = 8;
  // v1: the host runs the neuron too.
  bool fires = false;
  std::string neuron;
  int32_t threshold = 0;
  Leak leak = Leak::kNone;
  bool operator==(const HostStem&) const = default;
};

struct HostOutput {
  std::string name;          // key of the accumulator
  std::vector<double> step;  // real value of one integer step, per channel
  std::vector<std::string> class_names;
  // v1: the host runs the convolution on the spikes that come back.
  bool convolves = false;
  int in_channels = 0, out_channels = 0, kernel = 1, padding = 0;
  bool operator==(const HostOutput&) const = default;
};

struct Plan {
  std::string target, preset;
  int parallelism = 16, steps = 1;
  uint64_t arena_bytes = 0;
  std::string input;  // tensor the host fills
  std::vector<PlanMap> maps;
  std::vector<PlanLayer> layers;
  std::optional<HostStem> stem;
  std::optional<HostOutput> output;
  std::vector<HostOutput> further_outputs;   // of a network with several scales: behind `output`
  int classes = 0;                           // of a winner-takes-all layer, else 0
  std::map<std::string, std::string> notes;  // free text: quantizer settings and the like
  bool operator==(const Plan&) const = default;

  const PlanMap* find(std::string_view name) const;
  const PlanMap& map(std::string_view name) const;  // throws std::invalid_argument
};

std::string plan_to_json(const Plan& plan);
// Throws std::invalid_argument for a missing or wrong member. Members it does not know are left.
Plan plan_from_json(std::string_view text);

// Names of image tensors.
std::string layer_tensor(size_t layer, std::string_view part);
inline constexpr std::string_view kStemWeight = "host.stem.weight";
inline constexpr std::string_view kStemBias = "host.stem.bias";
inline constexpr std::string_view kOutputWeight = "host.output.weight";
inline constexpr std::string_view kOutputBias = "host.output.bias";

}  // namespace lampyris::firefly
