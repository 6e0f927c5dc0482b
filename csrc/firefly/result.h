// What one run gave: raw maps as the device stored or traced them, decoded on demand.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "firefly/plan.h"
#include "firefly/trace.h"

namespace lampyris::firefly {

// Shape [steps, channels, height, width]; exactly one of the payloads is filled.
struct StoredMap {
  int steps = 0, channels = 0, height = 0, width = 0, parallelism = 0;
  std::vector<uint8_t> packed;  // bits, (t)(tile)(h)(w)(p) without gaps
  LaneMap<uint8_t> fired;
  LaneMap<int16_t> currents;
  LaneMap<int32_t> values;

  size_t count() const { return static_cast<size_t>(int64_t{steps} * channels * height * width); }
  // Row-major [T, C, H, W].
  void decode(uint8_t* out) const;  // spikes as 0 and 1
  void decode(int16_t* out) const;  // streams
  void decode(int32_t* out) const;  // membranes, accumulators
};

// Values by key, in layer order.
template <class T>
class Keyed {
 public:
  T& operator[](const std::string& key) {
    for (auto& [name, value] : items_)
      if (name == key) return value;
    return items_.emplace_back(key, T{}).second;
  }
  const T* find(const std::string& key) const {
    for (const auto& [name, value] : items_)
      if (name == key) return &value;
    return nullptr;
  }
  const std::vector<std::pair<std::string, T>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, T>> items_;
};

struct Result {
  Keyed<StoredMap> spikes, streams, membranes, outputs;
  Keyed<int64_t> clamped, saturated;
  int64_t cycles = 0;
  std::vector<int64_t> layer_cycles;
  std::vector<std::string> layer_spikes;     // v1: key of layer i's spikes
  std::vector<std::string> layer_membranes;  // v1: key of layer i's membranes (trace)
  int predicted = -1;                        // winner-takes-all: first class that fires last
};

}  // namespace lampyris::firefly
