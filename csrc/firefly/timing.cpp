#include "firefly/timing.h"

#include <algorithm>
#include <cmath>

#include "firefly/area.h"
#include "firefly/array_shape.h"
#include "firefly/tile_schedule.h"

namespace lampyris::firefly {

namespace {

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Bytes of one output-channel tile over all time steps, per port.
struct TileBytes {
  int64_t weights = 0, spikes_in = 0, stream_in = 0, spikes_out = 0, stream_out = 0;

  int64_t all() const { return weights + spikes_in + stream_in + spikes_out + stream_out; }
};

// Cycles of the side streams of one output-channel tile.
struct TilePorts {
  int64_t input = 0, residual = 0, output = 0, memory = 0;

  int64_t slowest() const { return std::max({input, residual, output, memory}); }
};

TilePorts ports_of(const TileBytes& bytes, const Config& config) {
  // Cores share the DDR.
  const double share = config.ddr_bytes_per_cycle / config.cores;
  const double memory = static_cast<double>(bytes.all()) / share;
  return {ceil_div(bytes.spikes_in, config.spike_bus_bytes),
          ceil_div(bytes.stream_in, config.stream_bus_bytes),
          std::max(ceil_div(bytes.spikes_out, config.spike_bus_bytes),
                   ceil_div(bytes.stream_out, config.stream_bus_bytes)),
          static_cast<int64_t>(std::ceil(memory))};
}

void add_ports(CommandCycles& c, const TileBytes& bytes, const TilePorts& ports, int64_t co_tiles,
               int64_t wait, const Config& config) {
  c.weights = ceil_div(bytes.weights, config.weight_bus_bytes) * co_tiles;
  c.input = ports.input * co_tiles;
  c.residual = ports.residual * co_tiles;
  c.output = ports.output * co_tiles;
  c.memory = ports.memory * co_tiles;
  const int64_t slowest = ports.slowest();
  (ports.input == slowest      ? c.stall_input
   : ports.residual == slowest ? c.stall_residual
   : ports.output == slowest   ? c.stall_output
                               : c.stall_memory) = wait;
  c.bytes = bytes.all() * co_tiles;
  c.weight_bytes = bytes.weights * co_tiles;
}

void finish(CommandCycles& c, int64_t bias_bytes, const Config& config) {
  c.bias = ceil_div(bias_bytes, config.weight_bus_bytes);
  c.bytes += bias_bytes;
  c.weight_bytes += bias_bytes;
  c.latency = matrix_latency(config) + membrane_latency(config);
  c.stall = c.stall_weights + c.stall_input + c.stall_residual + c.stall_output + c.stall_memory;
  c.total = c.compute + c.reload + c.flush + c.bias + c.fill + c.latency + c.stall;
}

// `shape` without its times; `bytes.weights` holds one pass.
CommandCycles array_cycles(TileShape shape, TileBytes bytes, int taps, int64_t bias_bytes,
                           const Config& config) {
  const int64_t p = config.parallelism;
  shape.word_beats = ceil_div(p * taps, config.weight_bus_bytes);
  shape.bias_beats = ceil_div(bias_bytes, config.weight_bus_bytes);
  if (!weights_stay(shape.ci_tiles, config)) bytes.weights *= shape.steps;
  const TilePorts ports = ports_of(bytes, config);
  shape.least = ports.slowest();
  const TileTimes times = schedule_tiles(shape, config);
  CommandCycles c;
  c.compute = shape.co_tiles * shape.steps * shape.ci_tiles * shape.pixels;
  c.flush = shape.co_tiles * shape.steps * shape.line;
  c.reload = times.reload;
  c.fill = times.fill;
  c.stall_weights = times.stall_weights;
  add_ports(c, bytes, ports, shape.co_tiles, times.stall_least, config);
  finish(c, bias_bytes, config);
  return c;
}

// Commands of the vector unit: P lanes a cycle, no weights.
CommandCycles vector_cycles(const Command& c, const TileBytes& bytes, const Config& config) {
  const int64_t in = int64_t{c.in_h} * c.in_w, out = int64_t{c.out_h} * c.out_w;
  const int64_t busy = c.steps * std::max(in, out);
  const TilePorts ports = ports_of(bytes, config);
  CommandCycles cycles;
  cycles.compute = busy * c.co_tiles;
  add_ports(cycles, bytes, ports, c.co_tiles,
            std::max(int64_t{0}, ports.slowest() - busy) * c.co_tiles, config);
  finish(cycles, c.bias_bytes, config);
  return cycles;
}

}  // namespace

CommandCycles& CommandCycles::operator+=(const CommandCycles& o) {
  compute += o.compute, reload += o.reload, flush += o.flush, bias += o.bias, fill += o.fill;
  latency += o.latency, weights += o.weights, input += o.input, residual += o.residual;
  output += o.output, memory += o.memory, stall_weights += o.stall_weights;
  stall_input += o.stall_input, stall_residual += o.stall_residual;
  stall_output += o.stall_output, stall_memory += o.stall_memory, stall += o.stall;
  total += o.total, bytes += o.bytes, weight_bytes += o.weight_bytes, dense_ops += o.dense_ops;
  return *this;
}

int matrix_latency(const Config& config) {
  return array_shape(config.datapath, config.parallelism).latency();
}

int membrane_latency(const Config& config) { return membrane_latency(config.parallelism); }

int weight_passes(const Command& command, const Config& config) {
  return weights_stay(command.ci_tiles, config) ? 1 : command.steps;
}

CommandCycles command_cycles(const Command& c, const Config& config) {
  const int p = config.parallelism;
  const int64_t in = int64_t{c.in_h} * c.in_w, out = int64_t{c.out_h} * c.out_w;
  const int64_t steps = c.steps, ci = c.ci_tiles;
  const bool conv = c.op == Op::kConv;
  const bool spikes_in = conv || (c.op != Op::kNeuron && c.spikes_out);
  TileBytes bytes;
  (spikes_in ? bytes.spikes_in : bytes.stream_in) =
      steps * (conv ? ci : 1) * in * (spikes_in ? spike_pixel_bytes(p) : stream_pixel_bytes(p));
  if (c.preload) bytes.stream_in += steps * out * stream_pixel_bytes(p);
  if (c.spikes_out) bytes.spikes_out = steps * out * spike_pixel_bytes(p);
  if (c.stream_out) bytes.stream_out = steps * out * stream_pixel_bytes(p);
  if (c.accumulate || c.membrane_out) bytes.stream_out = out * int32_pixel_bytes(p);
  if (!conv) return vector_cycles(c, bytes, config);
  const int taps = c.kernel * c.kernel;
  bytes.weights = ci * taps * p * p;
  TileShape shape{c.co_tiles, steps, ci, in};
  shape.line = c.kernel == 3 ? c.in_w + 1 : 0;
  CommandCycles cycles = array_cycles(shape, bytes, taps, c.bias_bytes, config);
  cycles.dense_ops = 2 * steps * out * ci * p * c.co_tiles * p * taps;
  return cycles;
}

CommandCycles v1_cycles(const V1Command& c, const Config& config) {
  const int p = config.parallelism;
  const int64_t pixels = int64_t{c.height} * c.width, steps = c.steps, ci = c.ci_tiles;
  TileBytes bytes;
  bytes.weights = ci * kTaps * p * p;
  bytes.spikes_in = c.input_bytes;
  bytes.spikes_out = steps * c.output_bytes;
  TileShape shape{c.co_tiles, steps, ci, pixels};
  shape.line = c.linear ? 0 : c.width + 1;
  CommandCycles cycles = array_cycles(shape, bytes, kTaps, c.bias_bytes, config);
  const int64_t outputs = c.linear ? 1 : pixels;
  cycles.dense_ops = 2 * steps * outputs * ci * p * c.co_tiles * p * kTaps;
  return cycles;
}

double Timing::frames_per_second() const {
  return total.total == 0 ? 0 : config.clock_hz * config.cores / static_cast<double>(total.total);
}

double Timing::operations_per_second() const {
  return frames_per_second() * static_cast<double>(total.dense_ops);
}

double Timing::peak_operations_per_second() const {
  return 2.0 * config.clock_hz * kTaps * config.parallelism * config.parallelism * config.cores;
}

}  // namespace lampyris::firefly
