#include "firefly/shape_timing.h"

#include "core/error.h"
#include "firefly/packing.h"

namespace lampyris::firefly {

V1Command shape_command(const V1Shape& s, int steps, int parallelism) {
  if (s.in_channels < 1 || s.out_channels < 1 || s.height < 1 || s.width < 1 || steps < 1)
    fail("shape: sizes must be at least 1, got {} x {} channels, [{}, {}], T = {}", s.in_channels,
         s.out_channels, s.height, s.width, steps);
  V1Command c;
  const int64_t p = parallelism;
  c.linear = s.linear, c.pool = s.pool, c.steps = steps;
  c.ci_tiles = tile_count(s.in_channels, parallelism);
  c.co_tiles = tile_count(s.out_channels, parallelism);
  c.height = s.height, c.width = s.width;
  if (s.linear) {
    // Flattened in padded channels, then to a multiple of 288 inputs.
    const int64_t inputs = c.ci_tiles * p * s.height * s.width;
    const int64_t padded = (inputs + kFlattenBits - 1) / kFlattenBits * kFlattenBits;
    c.ci_tiles = static_cast<int>((padded + kTaps * p - 1) / (kTaps * p));
    c.height = c.width = 3;
  }
  c.ci_steps = c.ci_tiles * steps, c.co_steps = c.co_tiles * steps;
  c.weight_length = c.ci_tiles * parallelism;
  const int64_t pixels = int64_t{c.height} * c.width;
  const int64_t out = s.linear ? 1 : (s.pool ? pixels / 4 : pixels);
  c.input_bytes = static_cast<uint32_t>(pixels * steps * c.ci_tiles * p / 8);
  c.output_bytes = static_cast<uint32_t>(out * p / 8);
  c.output.stride_c = c.output_bytes * (s.linear ? 2 : 1);
  c.output.stride_t = c.output.stride_c * static_cast<uint32_t>(c.co_tiles);
  c.weight_bytes = static_cast<uint32_t>(int64_t{c.ci_tiles} * c.co_tiles * p * p * kTaps);
  c.bias_bytes = static_cast<uint32_t>(c.co_tiles * p * 2);
  return c;
}

std::string shape_limit(const V1Shape& shape, int steps, const Config& config) {
  constexpr uint64_t kMemory = uint64_t{1} << 32;
  const V1Command command = shape_command(shape, steps, config.parallelism);
  return std::string(check_v1(command, config, kMemory).what);
}

Timing shape_timing(std::span<const V1Shape> shapes, int steps, const Config& config) {
  check_config(config);
  Timing timing;
  timing.config = config;
  for (const V1Shape& shape : shapes) {
    LayerTiming row{text("{}{}", shape.linear ? "fc" : "conv", timing.layers.size()),
                    shape.linear ? "linear" : "conv", 1, {}};
    row.cycles = v1_cycles(shape_command(shape, steps, config.parallelism), config);
    // Of the layer itself: padded channels and inputs are work that nobody asked for.
    const int64_t outputs = shape.linear ? 1 : int64_t{shape.height} * shape.width;
    const int64_t fan_in =
        int64_t{shape.in_channels} * (shape.linear ? int64_t{shape.height} * shape.width : kTaps);
    row.cycles.dense_ops = 2 * steps * outputs * fan_in * shape.out_channels;
    timing.total += row.cycles;
    timing.layers.push_back(std::move(row));
  }
  return timing;
}

}  // namespace lampyris::firefly
