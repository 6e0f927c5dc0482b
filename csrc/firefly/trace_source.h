// Values of one run by name, wherever they come from: a result in memory, a folder of .npy files, or
// another implementation's arrays. What the comparison and the explanation of a value read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firefly/npy.h"
#include "firefly/result.h"

namespace lampyris::firefly {

enum class Quantity : uint8_t { kInput, kStream, kSpikes, kMembrane, kOutput };

// "input", "stream", "spikes", "membrane", "accumulator".
std::string_view quantity_name(Quantity quantity);
// Throws std::invalid_argument.
Quantity parse_quantity(std::string_view name);

// [steps][channels][height][width].
struct TraceMap {
  int steps = 0, channels = 0, height = 0, width = 0;
  std::vector<int32_t> values;

  // A map with one step stands for every step.
  int32_t at(int t, int c, int y, int x) const {
    const int64_t step = steps == 1 ? 0 : t;
    return values[static_cast<size_t>(((step * channels + c) * height + y) * width + x)];
  }
};

class TraceSource {
 public:
  virtual ~TraceSource() = default;
  // Nothing where the run did not keep that map.
  virtual std::optional<TraceMap> find(Quantity quantity, const std::string& name) const = 0;
};

// A result in memory, which must outlive it; `input` is the frame, where somebody kept it.
class ResultTrace : public TraceSource {
 public:
  explicit ResultTrace(const Result& result, const NpyArray* input = nullptr)
      : result_(result), input_(input) {}
  std::optional<TraceMap> find(Quantity quantity, const std::string& name) const override;

 private:
  const Result& result_;
  const NpyArray* input_;
};

// An array [C, H, W] or [T, C, H, W] of any type as a map. Throws std::invalid_argument.
TraceMap trace_map(const NpyArray& array, std::string_view what);

}  // namespace lampyris::firefly
