// CONV and NEURON commands: rows outermost, time steps inside, so that a row's membranes stay in
// cache over all T.
#include <algorithm>
#include <cstring>

#include "firefly/datapath.h"
#include "firefly/layer_rows.h"
#include "firefly/synapses.h"

namespace lampyris::firefly {

namespace {

std::vector<int16_t> load_bias(const Command& c, int parallelism, std::span<const uint8_t> memory) {
  std::vector<int16_t> bias(static_cast<size_t>(c.co_tiles * parallelism));
  std::memcpy(bias.data(), memory.data() + c.bias, bias.size() * sizeof(int16_t));
  return bias;
}

// Row y of tile 0 at step t in a stream; 16-byte aligned by check_command.
int16_t* stream_row(std::span<uint8_t> memory, const Area& area, int t, int y, int width,
                    int parallelism) {
  return reinterpret_cast<int16_t*>(memory.data() + area_block(area, t, 0)) +
         int64_t{y} * width * parallelism;
}

void trace_currents(const Command& c, int parallelism, int t, int y, const int32_t* current,
                    CommandTrace* trace) {
  if (!trace) return;
  const int64_t lanes = int64_t{c.out_w} * parallelism;
  for (int tile = 0; tile < c.co_tiles; ++tile)
    std::transform(current + tile * lanes, current + (tile + 1) * lanes,
                   trace->current.row(t, tile, y),
                   [](int32_t x) { return static_cast<int16_t>(x); });
}

void reshape_currents(const Command& c, int parallelism, CommandTrace* trace) {
  if (trace) trace->current.reshape(c.steps, c.co_tiles, c.out_h, c.out_w, parallelism);
}

}  // namespace

CommandCounters run_conv(const Command& c, int parallelism, std::span<uint8_t> memory,
                         CommandTrace* trace) {
  const SpikePlanes planes = load_planes(
      memory, c.source,
      {c.steps, c.ci_tiles, c.in_h, c.in_w, c.pad_top, c.pad_bottom, c.pad_left, c.pad_right},
      parallelism);
  Synapses synapses(
      reinterpret_cast<const int8_t*>(memory.data() + c.weights), planes,
      {c.co_tiles, c.ci_tiles, c.kernel, parallelism, c.stride, c.out_h, c.out_w});
  const std::vector<int16_t> bias = load_bias(c, parallelism, memory);
  CommandCounters counters;
  std::vector<int32_t> sums(static_cast<size_t>(c.out_w) * static_cast<size_t>(synapses.outputs()));
  std::vector<int32_t> row(static_cast<size_t>(c.out_w) * bias.size());
  if (!c.accumulate) reshape_currents(c, parallelism, trace);
  NeuronRows neurons(c, parallelism, memory, c.fires() ? trace : nullptr, counters);
  for (int y = 0; y < c.out_h; ++y) {
    neurons.start_row(y);
    if (c.accumulate) std::fill(row.begin(), row.end(), 0);
    for (int t = 0; t < c.steps; ++t) {
      synapses.row(t, y, sums.data());
      if (c.accumulate) {
        sum_row({sums.data(), synapses.outputs(), bias.data(), row.data(), c.co_tiles, c.out_w,
                 parallelism});
        continue;
      }
      CurrentJob job{sums.data(),
                     synapses.outputs(),
                     bias.data(),
                     nullptr,
                     c.residual.stride_c / 2,
                     nullptr,
                     c.stream.stride_c / 2,
                     row.data(),
                     c.co_tiles,
                     c.out_w,
                     parallelism,
                     c.shift,
                     &counters.clamped};
      if (c.preload) job.residual = stream_row(memory, c.residual, t, y, c.out_w, parallelism);
      if (c.stream_out) job.stream = stream_row(memory, c.stream, t, y, c.out_w, parallelism);
      current_row(job);
      trace_currents(c, parallelism, t, y, row.data(), trace);
      if (c.fires()) neurons.step(t, row.data());
    }
    if (c.accumulate) store_int32_row(c, parallelism, memory, y, row.data());
    neurons.finish_row();
  }
  return counters;
}

CommandCounters run_neuron(const Command& c, int parallelism, std::span<uint8_t> memory,
                           CommandTrace* trace) {
  CommandCounters counters;
  NeuronRows neurons(c, parallelism, memory, trace, counters);
  const int64_t lanes = int64_t{c.out_w} * parallelism;
  std::vector<int32_t> row(static_cast<size_t>(lanes * c.co_tiles));
  for (int y = 0; y < c.out_h; ++y) {
    neurons.start_row(y);
    for (int t = 0; t < c.steps; ++t) {
      const int16_t* in = stream_row(memory, c.source, t, y, c.in_w, parallelism);
      for (int tile = 0; tile < c.co_tiles; ++tile)
        std::copy(in + tile * (c.source.stride_c / 2), in + tile * (c.source.stride_c / 2) + lanes,
                  row.data() + tile * lanes);
      neurons.step(t, row.data());
    }
    neurons.finish_row();
  }
  return counters;
}

CommandCounters run_command(const Command& c, int parallelism, std::span<uint8_t> memory,
                            CommandTrace* trace) {
  switch (c.op) {
    case Op::kConv:
      return run_conv(c, parallelism, memory, trace);
    case Op::kNeuron:
      return run_neuron(c, parallelism, memory, trace);
    default:
      run_vector(c, parallelism, memory);
      return {};
  }
}

}  // namespace lampyris::firefly
