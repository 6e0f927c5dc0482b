#include "firefly/timing.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "firefly/area.h"

namespace lampyris::firefly {

namespace {

constexpr int kTaps = 9;
constexpr int kInputRegisters = 3;     // fabric register, slice input, slice output
constexpr int kMembraneRegisters = 3;  // read, add, write of the unified buffer

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Matrix unit (ternary tree over 9 P / 2 slices) and membrane unit (maximum tree over P lanes).
int64_t pipeline_latency(int parallelism) {
  int levels = 0;
  for (int terms = kTaps * parallelism / 2; terms > 1; terms = (terms + 2) / 3) ++levels;
  return kInputRegisters + levels + kMembraneRegisters +
         std::bit_width(static_cast<unsigned>(parallelism)) - 1;
}

// Bytes of one output-channel tile over all time steps, per port.
struct TileBytes {
  int64_t weights = 0, spikes_in = 0, stream_in = 0, spikes_out = 0, stream_out = 0;
};

CommandCycles combine(const Config& config, int64_t compute, int64_t reload, int64_t flush,
                      const TileBytes& bytes, int64_t co_tiles, int64_t bias_bytes,
                      int64_t first_weights) {
  CommandCycles c;
  const int64_t spike_in = ceil_div(bytes.spikes_in, config.spike_bus_bytes);
  const int64_t stream_in = ceil_div(bytes.stream_in, config.stream_bus_bytes);
  const int64_t spike_out = ceil_div(bytes.spikes_out, config.spike_bus_bytes);
  const int64_t stream_out = ceil_div(bytes.stream_out, config.stream_bus_bytes);
  const int64_t weights = ceil_div(bytes.weights, config.weight_bus_bytes);
  const int64_t moved =
      bytes.weights + bytes.spikes_in + bytes.stream_in + bytes.spikes_out + bytes.stream_out;
  const int64_t memory =
      static_cast<int64_t>(std::ceil(static_cast<double>(moved) / config.ddr_bytes_per_cycle));
  const int64_t busy = compute + reload + flush;
  const int64_t elapsed =
      std::max({busy, weights, spike_in, stream_in, spike_out, stream_out, memory});
  c.compute = compute * co_tiles;
  c.reload = reload * co_tiles;
  c.flush = flush * co_tiles;
  c.weights = weights * co_tiles;
  c.input = spike_in * co_tiles;
  c.residual = stream_in * co_tiles;
  c.output = std::max(spike_out, stream_out) * co_tiles;
  c.memory = memory * co_tiles;
  c.bias = ceil_div(bias_bytes, config.weight_bus_bytes);
  c.fill = ceil_div(first_weights, config.weight_bus_bytes);
  c.latency = pipeline_latency(config.parallelism);
  c.stall = (elapsed - busy) * co_tiles;
  c.total = elapsed * co_tiles + c.bias + c.fill + c.latency;
  c.bytes = moved * co_tiles + bias_bytes;
  return c;
}

}  // namespace

CommandCycles& CommandCycles::operator+=(const CommandCycles& o) {
  compute += o.compute, reload += o.reload, flush += o.flush, weights += o.weights;
  input += o.input, residual += o.residual, output += o.output, memory += o.memory;
  bias += o.bias, fill += o.fill, latency += o.latency, stall += o.stall, total += o.total;
  bytes += o.bytes, dense_ops += o.dense_ops;
  return *this;
}

CommandCycles command_cycles(const Command& c, const Config& config) {
  const int p = config.parallelism;
  const int64_t in = int64_t{c.in_h} * c.in_w, out = int64_t{c.out_h} * c.out_w;
  const int64_t steps = c.steps, ci = c.ci_tiles;
  const bool conv = c.op == Op::kConv;
  const bool spikes_in = conv || (c.op != Op::kNeuron && c.spikes_out);
  const int64_t tiles_in = conv ? ci : 1;
  TileBytes bytes;
  bytes.weights = conv ? ci * c.kernel * c.kernel * p * p : 0;
  (spikes_in ? bytes.spikes_in : bytes.stream_in) =
      steps * tiles_in * in * (spikes_in ? spike_pixel_bytes(p) : stream_pixel_bytes(p));
  if (c.preload) bytes.stream_in += steps * out * stream_pixel_bytes(p);
  if (c.spikes_out) bytes.spikes_out = steps * out * spike_pixel_bytes(p);
  if (c.stream_out) bytes.stream_out = steps * out * stream_pixel_bytes(p);
  if (c.accumulate || c.membrane_out) bytes.stream_out = out * int32_pixel_bytes(p);
  const int64_t compute = steps * tiles_in * std::max(in, conv ? in : out);
  const int64_t reload = conv ? steps * ci * (p + 1) : 0;
  const int64_t flush = c.kernel == 3 ? steps * (c.in_w + 1) : 0;
  CommandCycles cycles = combine(config, compute, reload, flush, bytes, c.co_tiles, c.bias_bytes,
                                 conv ? int64_t{c.kernel} * c.kernel * p * p : 0);
  if (conv) cycles.dense_ops = 2 * steps * out * ci * p * c.co_tiles * p * c.kernel * c.kernel;
  return cycles;
}

CommandCycles v1_cycles(const V1Command& c, const Config& config) {
  const int p = config.parallelism;
  const int64_t pixels = int64_t{c.height} * c.width, steps = c.steps, ci = c.ci_tiles;
  TileBytes bytes;
  bytes.weights = ci * kTaps * p * p;
  bytes.spikes_in = c.input_bytes;
  bytes.spikes_out = steps * c.output_bytes;
  CommandCycles cycles = combine(config, steps * ci * pixels, steps * ci * (p + 1),
                                 c.linear ? 0 : steps * (c.width + 1), bytes, c.co_tiles,
                                 c.bias_bytes, int64_t{kTaps} * p * p);
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
