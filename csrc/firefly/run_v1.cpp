// A released layer: output tile, time step, input tile; tile sums of 16 bits, one 18-bit word for
// partial sum and membrane. Where the weights prove that no tile sum wraps, the exact sum is taken:
// additions modulo 2^18 commute.
#include <algorithm>
#include <cstring>
#include <optional>

#include "core/fixed_point.h"
#include "cpu/parallel.h"
#include "firefly/area.h"
#include "firefly/datapath.h"
#include "firefly/neuron_unit.h"
#include "firefly/synapses.h"

namespace lampyris::firefly {

namespace {

// What the threads share.
struct V1Layer {
  const V1Command& c;
  int parallelism;
  SynapseShape shape;
  const Synapses& synapses;
  const TileSynapses* tiles;  // nullptr where exact sums will do
  std::span<const int16_t> bias;
};

// One thread's part of a layer.
class V1Rows {
 public:
  explicit V1Rows(const V1Layer& layer)
      : c_(layer.c),
        parallelism_(layer.parallelism),
        strip_(layer.tiles ? 1 : layer.synapses.strip()),
        layer_(layer),
        lanes_(static_cast<size_t>(int64_t{layer.shape.out_w} * layer.synapses.outputs())),
        threshold_(static_cast<size_t>(layer.synapses.outputs()), layer.c.theta),
        sums_(lanes_ * static_cast<size_t>(strip_)),
        current_(lanes_),
        membrane_(sums_.size()),
        fired_(lanes_) {}

  int strip() const { return strip_; }

  // Rows [y, y + count), count up to a strip, into `record`; membranes too where they have a shape.
  void run(int y, int count, CommandTrace& record) {
    std::fill(membrane_.begin(), membrane_.end(), 0);
    const int64_t row = int64_t{layer_.shape.out_w} * parallelism_;
    for (int t = 0; t < c_.steps; ++t) {
      if (!layer_.tiles) layer_.synapses.rows(t, y, count, scratch_, sums_.data());
      for (int r = 0; r < count; ++r) {
        int32_t* const membrane = membrane_.data() + lanes_ * static_cast<size_t>(r);
        step(t, y, r, membrane);
        for (int tile = 0; tile < c_.co_tiles; ++tile) {
          std::copy_n(fired_.data() + tile * row, row, record.fired.row(t, tile, y + r));
          if (!record.membrane.empty())
            std::copy_n(membrane + tile * row, row, record.membrane.row(t, tile, y + r));
        }
      }
    }
  }

 private:
  // Sum of all tiles and the bias in row-buffer order; returns it in `current_`.
  void exact_current(int r) {
    std::fill(current_.begin(), current_.end(), 0);
    sum_row({sums_.data() + lanes_ * static_cast<size_t>(r), layer_.synapses.outputs(),
             layer_.bias.data(), current_.data(), c_.co_tiles, layer_.shape.out_w, parallelism_});
  }

  // Adds the tile sums one after another to the membrane, halving after each pass when asked.
  void tile_passes(int t, int y, int32_t* membrane) {
    const bool every_pass = c_.leak_kind() == Leak::kEveryPass;
    const int outputs = layer_.synapses.outputs(), out_w = layer_.shape.out_w;
    for (int ci = 0; ci < c_.ci_tiles; ++ci) {
      layer_.tiles->row(t, y, ci, sums_.data());
      const bool last = ci + 1 == c_.ci_tiles;
      int32_t* v = membrane;
      for (int tile = 0; tile < c_.co_tiles; ++tile) {
        const int32_t* sums = sums_.data() + tile * parallelism_;
        const int16_t* bias = layer_.bias.data() + tile * parallelism_;
        for (int x = 0; x < out_w; ++x, sums += outputs)
          for (int p = 0; p < parallelism_; ++p, ++v) {
            const int32_t sum = wrap(*v + sums[p] + (last ? bias[p] : 0), kMembraneBits);
            *v = every_pass ? shift_floor(sum, 1) : sum;
          }
      }
    }
    std::fill(current_.begin(), current_.end(), 0);
  }

  void step(int t, int y, int r, int32_t* membrane) {
    Leak leak = c_.leak_kind();
    layer_.tiles ? tile_passes(t, y + r, membrane) : exact_current(r);
    if (leak == Leak::kEveryPass) leak = Leak::kNone;
    int64_t wrapped = 0;
    const NeuronJob job{current_.data(),
                        membrane,
                        threshold_.data(),
                        fired_.data(),
                        c_.co_tiles,
                        layer_.shape.out_w,
                        parallelism_,
                        leak,
                        0,
                        Overflow::kWrap,
                        &wrapped};
    c_.winner ? winner_row(job) : neuron_row(job);
  }

  const V1Command& c_;
  int parallelism_, strip_;
  const V1Layer& layer_;
  size_t lanes_;  // of an output row
  std::vector<int32_t> threshold_, sums_, current_, membrane_;
  std::vector<uint8_t> fired_;
  SpikeTile scratch_;
};

// Packs output row y of a tile at a step, two rows to one where the layer pools.
void store_row(const V1Command& c, int parallelism, const LaneMap<uint8_t>& map, int t, int tile,
               int y, uint8_t* pooled, uint8_t* out) {
  if (!c.pool) return pack_row(map.row(t, tile, y), map.columns, parallelism, out);
  const int64_t p = parallelism, lanes = map.columns * p;
  const uint8_t* fired = map.row(t, tile, 2 * y);
  for (int x = 0; x < map.columns / 2; ++x)
    for (int64_t lane = 0; lane < p; ++lane) {
      const uint8_t* at = fired + 2 * x * p + lane;
      pooled[x * p + lane] = at[0] | at[p] | at[lanes] | at[lanes + p];
    }
  pack_row(pooled, map.columns / 2, parallelism, out);
}

}  // namespace

void run_v1(const V1Command& c, int parallelism, std::span<const int8_t> weights,
            std::span<const int16_t> bias, std::span<uint8_t> memory, CommandTrace* trace) {
  const int64_t pixel = spike_pixel_bytes(parallelism);
  const uint32_t tile_bytes = static_cast<uint32_t>(c.height * c.width * pixel);
  const Area source{c.input, tile_bytes * static_cast<uint32_t>(c.ci_tiles), tile_bytes};
  // A fully connected tile is nine beats of P inputs: the window of a single output pixel.
  const int pad = c.linear ? 0 : 1;
  const SpikePlanes planes = load_planes(
      memory, source, {c.steps, c.ci_tiles, c.height, c.width, pad, pad, pad, pad}, parallelism);
  const SynapseShape shape{c.co_tiles,  c.ci_tiles,          3,
                           parallelism, 1,                   c.linear ? 1 : c.height,
                           c.linear ? 1 : c.width};
  const Synapses synapses(weights.data(), planes, shape);
  std::optional<TileSynapses> tiles;
  if (c.leak_kind() == Leak::kEveryPass || !tile_sums_fit(weights.data(), shape))
    tiles.emplace(weights.data(), planes, shape);
  const V1Layer layer{c, parallelism, shape, synapses, tiles ? &*tiles : nullptr, bias};
  CommandTrace local;
  CommandTrace& record = trace ? *trace : local;
  record.fired.reshape(c.steps, c.co_tiles, shape.out_h, shape.out_w, parallelism);
  if (trace) record.membrane.reshape(c.steps, c.co_tiles, shape.out_h, shape.out_w, parallelism);
  parallel(0, shape.out_h, grain_rows(shape, c.steps), [&](int64_t b, int64_t e) {
    V1Rows rows(layer);
    for (int64_t y = b; y < e; y += rows.strip())
      rows.run(static_cast<int>(y), static_cast<int>(std::min<int64_t>(rows.strip(), e - y)),
               record);
  });
  const int rows = shape.out_h / (c.pool ? 2 : 1), columns = shape.out_w / (c.pool ? 2 : 1);
  std::vector<uint8_t> pooled(static_cast<size_t>(columns * parallelism));
  for (int t = 0; t < c.steps; ++t)
    for (int tile = 0; tile < c.co_tiles; ++tile) {
      uint8_t* out = memory.data() + area_block(c.output, t, tile);
      for (int y = 0; y < rows; ++y, out += columns * pixel)
        store_row(c, parallelism, record.fired, t, tile, y, pooled.data(), out);
    }
}

}  // namespace lampyris::firefly
