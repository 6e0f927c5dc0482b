#include "firefly/layer_clock.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "core/fixed_point.h"
#include "firefly/area.h"
#include "firefly/line_buffer.h"
#include "firefly/neuron_unit.h"
#include "firefly/timing.h"
#include "firefly/weight_path.h"

namespace lampyris::firefly {

namespace {

constexpr int kTileSumBits = 16;

// Place in the loop nest: output tile, time step, and the pixels pushed into the pass.
struct Place {
  int64_t co = 0, t = 0, pushed = 0;
};

// The loop nest in front of the array. `pixel(place)` sees every pushed pixel and tells whether a
// window came out; `window(place, ci, index, tile)` sees every window with its weights.
struct Walk {
  const TileShape& shape;
  const Config& config;
  int64_t tile_windows;  // of one tile
  std::function<bool(const Place&)> pixel;
  std::function<void(const Place&, int64_t, int64_t, std::span<const int8_t>)> window;

  // Cycles until the last window.
  int64_t run(WeightPath& path, std::span<const int8_t> weights, LayerClock& result) {
    const int64_t pass = shape.ci_tiles * shape.pixels + shape.line;
    const int64_t beats = (path.bytes() + config.weight_bus_bytes - 1) / config.weight_bus_bytes;
    int64_t cycle = 0, windows = 0, sent = 0;
    for (Place at; at.co < shape.co_tiles; ++cycle) {
      bool release = false;
      const std::span<const int8_t> tile = path.tile();
      if (tile.empty()) {
        ++result.waiting;
      } else {
        if (pixel(at)) {
          window(at, windows / tile_windows, windows % tile_windows, tile);
          ++result.windows;
          release = ++windows % tile_windows == 0;
        }
        if (++at.pushed == pass) {
          at.pushed = windows = 0;
          if (++at.t == shape.steps) at.t = 0, ++at.co;
        }
      }
      // Biases come first on the parameter bus. The clock edge ends the cycle.
      if (cycle >= shape.bias_beats && sent < beats && path.accepts()) {
        const size_t begin = static_cast<size_t>(sent++ * config.weight_bus_bytes);
        const size_t bytes = static_cast<size_t>(config.weight_bus_bytes);
        path.push(weights.subspan(begin, std::min(bytes, weights.size() - begin)));
      }
      path.clock(release);
      result.most_words = std::max(result.most_words, path.held_words());
    }
    result.weight_beats = sent;
    return cycle;
  }
};

// The released layer's data around the walk.
struct LayerData {
  const V1Command& c;
  const Config& config;
  std::span<const int16_t> bias;
  std::span<const uint8_t> memory;
  LayerClock& result;
  LineBuffer lines;
  WindowPacker packer;
  UnifiedBuffer buffer;
  std::vector<int32_t> sums;

  int64_t pixels() const { return int64_t{c.height} * c.width; }

  // Pixel n of the input of one output tile, all time steps; zeros drain the line buffer.
  bool push(const Place& at) {
    if (at.pushed == 0) lines.restart();
    uint32_t word = 0;
    if (at.pushed < c.ci_tiles * pixels()) {
      const size_t bytes = static_cast<size_t>(config.parallelism / 8);
      const int64_t n = at.t * c.ci_tiles * pixels() + at.pushed;
      std::memcpy(&word, memory.data() + c.input + static_cast<size_t>(n) * bytes, bytes);
    }
    if (!c.linear) return lines.push(word);
    return packer.push(word);
  }

  void accumulate(const Place& at, int64_t ci, int64_t index, std::span<const int8_t> tile) {
    const SpikeWindow& window = c.linear ? packer.window() : lines.window();
    const int p = config.parallelism;
    std::fill(sums.begin(), sums.end(), 0);
    // A tile arrives as (row, column, input) words of P outputs.
    for (int tap = 0; tap < kTaps; ++tap)
      for (int in = 0; in < p; ++in)
        if (window[static_cast<size_t>(tap)] >> in & 1)
          for (int out = 0; out < p; ++out)
            sums[static_cast<size_t>(out)] += tile[static_cast<size_t>((tap * p + in) * p + out)];
    int32_t* v = buffer.word(index);
    const auto phase = UnifiedBuffer::phase(at.t, ci, c.ci_tiles);
    if (at.t == 0 && ci == 0) std::fill_n(v, p, 0);
    const bool last = phase == UnifiedBuffer::Phase::kThreshold;
    const bool every_pass = c.leak_kind() == Leak::kEveryPass;
    for (int out = 0; out < p; ++out) {
      int32_t sum = wrap(sums[static_cast<size_t>(out)], kTileSumBits);
      if (last) sum += bias[static_cast<size_t>(at.co * p + out)];
      v[out] = wrap(v[out] + sum, kMembraneBits);
      if (every_pass) v[out] = shift_floor(v[out], 1);
    }
    if (last) fire(at, index, v);
  }

  void fire(const Place& at, int64_t index, int32_t* v) {
    const int p = config.parallelism;
    const std::vector<int32_t> none(static_cast<size_t>(p)), theta(static_cast<size_t>(p), c.theta);
    const int y = static_cast<int>(index) / result.fired.columns;
    const int64_t lane = index % result.fired.columns * p;
    const int t = static_cast<int>(at.t), co = static_cast<int>(at.co);
    int64_t wrapped = 0;
    const Leak leak = c.leak_kind() == Leak::kEveryPass ? Leak::kNone : c.leak_kind();
    const NeuronJob job{none.data(), v, theta.data(), result.fired.row(t, co, y) + lane,
                        1, 1, p, leak, 0, Overflow::kWrap, &wrapped};
    c.winner ? winner_row(job) : neuron_row(job);
    std::copy_n(v, p, result.membrane.row(t, co, y) + lane);
  }
};

}  // namespace

LayerClock clock_layer(const V1Command& c, const Config& config, std::span<const int8_t> weights,
                       std::span<const int16_t> bias, std::span<const uint8_t> memory) {
  LayerClock result;
  const int rows = c.linear ? 1 : c.height, columns = c.linear ? 1 : c.width;
  result.fired.reshape(c.steps, c.co_tiles, rows, columns, config.parallelism);
  result.membrane.reshape(c.steps, c.co_tiles, rows, columns, config.parallelism);
  TileShape shape{c.co_tiles, c.steps, c.ci_tiles, int64_t{c.height} * c.width};
  shape.line = c.linear ? 0 : c.width + 1;
  shape.bias_beats = (c.bias_bytes + config.weight_bus_bytes - 1) / config.weight_bus_bytes;
  LayerData data{c,      config, bias, memory, result, LineBuffer(config, {c.height, c.width}),
                 {},     UnifiedBuffer(config),
                 std::vector<int32_t>(static_cast<size_t>(config.parallelism))};
  WeightPath path(config, kTaps, c.co_tiles, c.steps, c.ci_tiles);
  Walk walk{shape, config, c.linear ? 1 : shape.pixels,
            [&](const Place& at) { return data.push(at); },
            [&](const Place& at, int64_t ci, int64_t index, std::span<const int8_t> tile) {
              data.accumulate(at, ci, index, tile);
            }};
  result.cycles =
      walk.run(path, weights, result) + matrix_latency(config) + membrane_latency(config);
  return result;
}

int64_t clock_tiles(const TileShape& shape, int taps, const Config& config) {
  WeightPath path(config, taps, shape.co_tiles, shape.steps, shape.ci_tiles);
  const std::vector<int8_t> weights(static_cast<size_t>(path.bytes()));
  LayerClock result;
  Walk walk{shape, config, shape.pixels,
            [&](const Place& at) { return at.pushed >= shape.line; },
            [](const Place&, int64_t, int64_t, std::span<const int8_t>) {}};
  return walk.run(path, weights, result);
}

}  // namespace lampyris::firefly
