// Why a value is what it is: the spikes and weights, bias, residual, previous membrane and threshold
// that give it, computed one value at a time from the image's bytes and the maps that the layer
// reads. Written without the data path, so that it also says which of two runs follows the image.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "firefly/driver.h"
#include "firefly/trace_source.h"

namespace lampyris::firefly {

// One value of one map. `layer` is the plan's, -1 for what the host computes before the first layer
// (stem and its neuron) and the number of layers for what it computes after the last.
struct Place {
  int layer = 0;
  std::string name;  // of the map
  Quantity quantity = Quantity::kSpikes;
  int t = 0, channel = 0, y = 0, x = 0;
};

// The place of a named map, or std::invalid_argument where the plan has none.
Place find_place(const Plan& plan, Quantity quantity, const std::string& name);

// A factor that is not 0: spike (or pixel) of source channel and tap. Fully connected layers name
// the source pixel as tap.
struct Product {
  int t = 0, channel = 0, tap_y = 0, tap_x = 0;
  int32_t input = 0, weight = 0;
};

struct NeuronOperands {
  int32_t previous = 0;  // V after the step before
  int32_t charged = 0;   // V that is compared
  int32_t threshold = 0;
  int32_t after = 0;  // V after reset
  bool fired = false, winner = false;
  Leak leak = Leak::kNone;
  int k = 0;
};

struct SourceValue {
  int channel = 0, y = 0, x = 0;
  int32_t value = 0;
};

struct Operands {
  std::string layer, op;
  std::vector<Product> products;
  std::vector<int32_t> tile_sums;  // by input-channel tile, wrapped to 16 bits on v1
  int64_t sum = 0;                 // P
  int shift = 0;                   // left on the device, rounding right shift in the stem
  std::optional<int32_t> bias, residual, current;
  std::optional<NeuronOperands> neuron;
  std::vector<SourceValue> sources;  // copied, compared or pooled values
  std::vector<int64_t> step_sums;    // accumulators: P + B by time step
  std::optional<int64_t> value;      // what these operands give; nothing where an input is missing
  std::string missing;               // the map that the trace lacks
};

Operands explain(const LoadedImage& image, const TraceSource& trace, const Place& place);

// A few lines: sums with their largest products, then bias to threshold.
std::string operands_text(const Operands& operands);

}  // namespace lampyris::firefly
