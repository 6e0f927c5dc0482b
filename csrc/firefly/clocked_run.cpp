#include "firefly/clocked_run.h"

#include <algorithm>
#include <cstring>

#include "firefly/area.h"
#include "firefly/elastic_fifo.h"
#include "firefly/timing.h"

namespace lampyris::firefly {

namespace {

// One layer, its machine and where the results go.
struct Run {
  FeedShape feed;
  NeuronShape neuron;
  const Config& config;
  std::span<const int8_t> weights;
  std::vector<int16_t> bias;
  std::vector<int32_t> threshold;
  int columns;  // of an output row
  std::span<uint8_t> memory;
  CommandTrace* trace;
  ClockObserver* observer;

  int64_t row_of(const ClockedNeuron::Place& at) const { return at.pixel / columns; }
  int64_t lane_of(const ClockedNeuron::Place& at) const {
    return int64_t{at.pixel} % columns * config.parallelism;
  }
  template <class T>
  T* traced(LaneMap<T>& map, const ClockedNeuron::Place& at) const {
    return map.row(at.t, at.o, static_cast<int>(row_of(at))) + lane_of(at);
  }

  void record(const ClockedNeuron::Done& done) const {
    if (!trace) return;
    const size_t p = static_cast<size_t>(config.parallelism);
    if (!trace->current.empty())
      std::copy_n(done.current.data(), p, traced(trace->current, done.place));
    if (!neuron.fires) return;
    std::copy_n(done.membrane.data(), p, traced(trace->membrane, done.place));
    uint8_t* fired = traced(trace->fired, done.place);
    for (size_t l = 0; l < p; ++l) fired[l] = done.fired >> l & 1;
  }

  // `residual(place)` gives P words or nullptr; `write(done)` takes every finished pixel.
  template <class Residual, class Write>
  ClockedNeuron execute(ClockedCycles& cycles, const Residual& residual, const Write& write) const {
    ClockedFeed source(feed, config, weights, memory);
    ClockedArray array(config.datapath, config.parallelism, feed.kernel * feed.kernel,
                       neuron.ems ? kEmsSumBits : kV1SumBits);
    ClockedNeuron unit(neuron, bias.data(), threshold.data());
    ElasticFifo<LaneWords> fifo(static_cast<size_t>(config.array_fifo));
    const size_t p = static_cast<size_t>(config.parallelism);
    int64_t left = int64_t{feed.co_tiles} * feed.steps * neuron.pixels;
    cycles = {};
    int64_t window = 0, word = 0;  // cycles of the last one offered, and of the last one out
    for (int64_t cycle = 1; left > 0 || !source.done(); ++cycle) {
      ClockSample sample;
      sample.done = unit.output();
      if (sample.done && sample.done->last) {
        record(*sample.done);
        write(*sample.done);
        word = cycle;
        --left;
      }
      sample.sum_valid = array.valid();
      if (sample.sum_valid) {
        std::copy_n(array.sums(), p, sample.sums.begin());
        fifo.push(sample.sums);
      }
      const size_t held = static_cast<size_t>(array.in_flight()) + fifo.size();
      sample.input = source.clock(held < fifo.depth());
      if (sample.input.valid) window = cycle;
      if (observer) observer->cycle(sample);
      if (fifo.empty()) {
        unit.clock(nullptr, nullptr);
      } else {
        unit.clock(fifo.front().data(), unit.last_pass() ? residual(unit.next()) : nullptr);
        fifo.pop();
      }
      array.clock(sample.input);
    }
    cycles.latency = word - window;
    cycles.feed = source.cycles();
    cycles.total = cycles.feed.total() + cycles.latency;
    return unit;
  }
};

uint8_t* pixel_bytes(std::span<uint8_t> memory, const Area& area, const ClockedNeuron::Place& at,
                     int64_t bytes) {
  return memory.data() + area_block(area, at.t, at.o) + at.pixel * bytes;
}

// 2 x 2 OR pooling behind the membrane unit: pairs of an even row wait in a line of W / 2 words.
class OrPool {
 public:
  explicit OrPool(int width) : width_(width), line_(static_cast<size_t>(width / 2)) {}

  // True when `word` completes a window; `word` is then the window's.
  bool clock(int pixel, uint32_t& word) {
    const int x = pixel % width_;
    uint32_t& waiting = line_[static_cast<size_t>(x / 2)];
    const bool opens = pixel / width_ % 2 == 0 && x % 2 == 0;
    waiting = opens ? word : waiting | word;
    word = waiting;
    return pixel / width_ % 2 == 1 && x % 2 == 1;
  }

 private:
  int width_;
  std::vector<uint32_t> line_;
};

// The slowest of the streams beside the array, per output tile.
int64_t side_cycles(const CommandCycles& c, int co_tiles) {
  return std::max({c.input, c.residual, c.output, c.memory}) / co_tiles;
}

FeedShape feed_shape(const Command& c, const Config& config) {
  FeedShape f;
  f.co_tiles = c.co_tiles, f.ci_tiles = c.ci_tiles, f.steps = c.steps;
  f.window = {c.in_h, c.in_w, c.pad_top, c.pad_bottom, c.pad_left, c.pad_right, c.stride};
  f.kernel = c.kernel;
  f.source = c.source;
  f.bias_bytes = c.bias_bytes;
  f.side_cycles = side_cycles(command_cycles(c, config), c.co_tiles);
  return f;
}

FeedShape feed_shape(const V1Command& c, const Config& config) {
  FeedShape f;
  f.co_tiles = c.co_tiles, f.ci_tiles = c.ci_tiles, f.steps = c.steps;
  f.window.height = c.height, f.window.width = c.width;
  f.linear = c.linear;
  const uint32_t tile = static_cast<uint32_t>(int64_t{c.height} * c.width *
                                              spike_pixel_bytes(config.parallelism));
  f.source = {c.input, tile * static_cast<uint32_t>(c.ci_tiles), tile};
  f.bias_bytes = c.bias_bytes;
  f.side_cycles = side_cycles(v1_cycles(c, config), c.co_tiles);
  return f;
}

}  // namespace

CommandCounters run_clocked_conv(const Command& c, const Config& config, std::span<uint8_t> memory,
                                 CommandTrace* trace, ClockedCycles& cycles,
                                 ClockObserver* observer) {
  const int p = config.parallelism;
  const size_t lanes = static_cast<size_t>(c.co_tiles * p);
  NeuronShape neuron;
  neuron.parallelism = p, neuron.ems = true;
  neuron.ci_tiles = c.ci_tiles, neuron.steps = c.steps, neuron.pixels = c.out_h * c.out_w;
  neuron.leak = c.leak, neuron.k = c.k, neuron.shift = c.shift;
  neuron.accumulate = c.accumulate, neuron.fires = c.fires();
  const size_t weights = lanes * static_cast<size_t>(c.ci_tiles * c.kernel * c.kernel * p);
  Run run{feed_shape(c, config),
          neuron,
          config,
          {reinterpret_cast<const int8_t*>(memory.data() + c.weights), weights},
          std::vector<int16_t>(lanes),
          std::vector<int32_t>(lanes, c.theta),
          c.out_w,
          memory,
          trace,
          observer};
  std::memcpy(run.bias.data(), memory.data() + c.bias, lanes * sizeof(int16_t));
  if (c.table)
    std::memcpy(run.threshold.data(), memory.data() + c.bias + lanes * sizeof(int16_t),
                lanes * sizeof(int32_t));
  if (trace) {
    if (!c.accumulate) trace->current.reshape(c.steps, c.co_tiles, c.out_h, c.out_w, p);
    if (neuron.fires) {
      trace->membrane.reshape(c.steps, c.co_tiles, c.out_h, c.out_w, p);
      trace->fired.reshape(c.steps, c.co_tiles, c.out_h, c.out_w, p);
    }
  }
  const auto residual = [&](const ClockedNeuron::Place& at) -> const int16_t* {
    if (!c.preload) return nullptr;
    return reinterpret_cast<const int16_t*>(
        pixel_bytes(memory, c.residual, at, stream_pixel_bytes(p)));
  };
  const auto write = [&](const ClockedNeuron::Done& done) {
    const ClockedNeuron::Place& at = done.place;
    const size_t words = static_cast<size_t>(p);
    if (c.spikes_out)
      std::memcpy(pixel_bytes(memory, c.spikes, at, spike_pixel_bytes(p)), &done.fired, words / 8);
    if (c.stream_out) {
      int16_t* out = reinterpret_cast<int16_t*>(
          pixel_bytes(memory, c.stream, at, stream_pixel_bytes(p)));
      for (size_t l = 0; l < words; ++l) out[l] = static_cast<int16_t>(done.current[l]);
    }
    if ((c.accumulate || c.membrane_out) && at.t + 1 == c.steps) {
      const LaneWords& from = c.accumulate ? done.current : done.membrane;
      ClockedNeuron::Place whole = at;
      whole.t = 0;
      std::memcpy(pixel_bytes(memory, c.stream, whole, int32_pixel_bytes(p)), from.data(),
                  words * sizeof(int32_t));
    }
  };
  const ClockedNeuron unit = run.execute(cycles, residual, write);
  return {unit.clamped(), unit.saturated()};
}

void run_clocked_v1(const V1Command& c, const Config& config, std::span<const int8_t> weights,
                    std::span<const int16_t> bias, std::span<uint8_t> memory, CommandTrace* trace,
                    ClockedCycles& cycles, ClockObserver* observer) {
  const int p = config.parallelism;
  const int rows = c.linear ? 1 : c.height, columns = c.linear ? 1 : c.width;
  NeuronShape neuron;
  neuron.parallelism = p;
  neuron.ci_tiles = c.ci_tiles, neuron.steps = c.steps, neuron.pixels = rows * columns;
  neuron.leak = c.leak_kind(), neuron.winner = c.winner;
  const Run run{feed_shape(c, config),
                neuron,
                config,
                weights,
                {bias.begin(), bias.end()},
                std::vector<int32_t>(static_cast<size_t>(c.co_tiles * p), c.theta),
                columns,
                memory,
                trace,
                observer};
  if (trace) {
    trace->membrane.reshape(c.steps, c.co_tiles, rows, columns, p);
    trace->fired.reshape(c.steps, c.co_tiles, rows, columns, p);
  }
  OrPool pool(columns);
  const auto write = [&](const ClockedNeuron::Done& done) {
    ClockedNeuron::Place at = done.place;
    uint32_t word = done.fired;
    if (c.pool) {
      if (!pool.clock(at.pixel, word)) return;
      at.pixel = at.pixel / columns / 2 * (columns / 2) + at.pixel % columns / 2;
    }
    std::memcpy(pixel_bytes(memory, c.output, at, spike_pixel_bytes(p)), &word,
                static_cast<size_t>(p) / 8);
  };
  run.execute(cycles, [](const ClockedNeuron::Place&) { return nullptr; }, write);
}

}  // namespace lampyris::firefly
