// Where two runs first differ: layer, time step, tile, pixel, channel, with both values and the
// operands that give the value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "firefly/operands.h"
#include "firefly/trace_source.h"

namespace lampyris::firefly {

struct Difference {
  Place place;
  std::string layer;
  int tile = 0;
  int32_t left = 0, right = 0;
  Operands operands;
};

struct TraceComparison {
  int64_t values = 0, differing = 0;
  std::vector<std::string> compared;               // `spikes "name"`
  std::vector<std::string> only_left, only_right;  // kept by one run alone
  std::optional<Difference> first;

  bool equal() const { return differing == 0 && values > 0; }
};

// Every map that both runs kept, in the order of the layers. "First" is by layer, then time step,
// tile, pixel and channel; of one neuron's values current, then spike, then membrane.
// Throws std::invalid_argument when a map's shapes differ.
TraceComparison compare_traces(const LoadedImage& image, const TraceSource& left,
                               const TraceSource& right);

// `a` and `b` name the runs.
std::string difference_text(const Difference& difference, const std::string& a,
                            const std::string& b);

// JSON texts.
std::string operands_json(const Operands& operands);
std::string comparison_json(const TraceComparison& comparison, const std::string& a,
                            const std::string& b);

}  // namespace lampyris::firefly
