// A released layer: output tile, time step, input tile; tile sums of 16 bits, one 18-bit word for
// partial sum and membrane. Where the weights prove that no tile sum wraps, the exact sum is taken:
// additions modulo 2^18 commute.
#include <algorithm>
#include <cstring>

#include "core/fixed_point.h"
#include "firefly/area.h"
#include "firefly/datapath.h"
#include "firefly/neuron_unit.h"
#include "firefly/synapses.h"

namespace lampyris::firefly {

namespace {

struct V1Rows {
  const V1Command& c;
  int parallelism;
  int out_h, out_w;
  Synapses& synapses;
  const TileSynapses& tiles;
  std::vector<int16_t> bias;
  std::vector<int32_t> threshold, sums, current, membrane;
  std::vector<uint8_t> fired;

  size_t lanes() const { return static_cast<size_t>(c.co_tiles * parallelism); }

  // Sum of all tiles and the bias in row-buffer order; returns it in `current`.
  void exact_current(int t, int y) {
    synapses.row(t, y, sums.data());
    std::fill(current.begin(), current.end(), 0);
    sum_row({sums.data(), synapses.outputs(), bias.data(), current.data(), c.co_tiles, out_w,
             parallelism});
  }

  int64_t row_index(int tile, int x) const { return (int64_t{tile} * out_w + x) * parallelism; }

  // Adds the tile sums one after another to the membrane, halving after each pass when asked.
  void tile_passes(int t, int y) {
    const bool every_pass = c.leak_kind() == Leak::kEveryPass;
    for (int ci = 0; ci < c.ci_tiles; ++ci) {
      tiles.row(t, y, ci, sums.data());
      const bool last = ci + 1 == c.ci_tiles;
      for (int tile = 0; tile < c.co_tiles; ++tile)
        for (int x = 0; x < out_w; ++x)
          for (int p = 0; p < parallelism; ++p) {
            int32_t& v = membrane[static_cast<size_t>(row_index(tile, x) + p)];
            v += sums[static_cast<size_t>(x * synapses.outputs() + tile * parallelism + p)];
            if (last) v += bias[static_cast<size_t>(tile * parallelism + p)];
            v = wrap(v, kMembraneBits);
            if (every_pass) v = shift_floor(v, 1);
          }
    }
    std::fill(current.begin(), current.end(), 0);
  }

  void step(int t, int y) {
    Leak leak = c.leak_kind();
    const bool exact = tiles.fit() && leak != Leak::kEveryPass;
    if (exact)
      exact_current(t, y);
    else
      tile_passes(t, y);
    if (leak == Leak::kEveryPass) leak = Leak::kNone;
    int64_t wrapped = 0;
    const NeuronJob job{current.data(),
                        membrane.data(),
                        threshold.data(),
                        fired.data(),
                        c.co_tiles,
                        out_w,
                        parallelism,
                        leak,
                        0,
                        Overflow::kWrap,
                        &wrapped};
    c.winner ? winner_row(job) : neuron_row(job);
  }
};

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
  Synapses synapses(weights.data(), planes, shape);
  const TileSynapses tiles(weights.data(), planes, shape);
  V1Rows rows{c,
              parallelism,
              shape.out_h,
              shape.out_w,
              synapses,
              tiles,
              {bias.begin(), bias.end()},
              {},
              {},
              {},
              {},
              {}};
  const size_t row = rows.lanes() * static_cast<size_t>(rows.out_w);
  rows.threshold.assign(rows.lanes(), c.theta);
  rows.sums.resize(static_cast<size_t>(rows.out_w) * static_cast<size_t>(synapses.outputs()));
  rows.current.resize(row);
  rows.membrane.resize(row);
  rows.fired.resize(row);
  CommandTrace local;
  CommandTrace& record = trace ? *trace : local;
  record.fired.reshape(c.steps, c.co_tiles, rows.out_h, rows.out_w, parallelism);
  if (trace) record.membrane.reshape(c.steps, c.co_tiles, rows.out_h, rows.out_w, parallelism);
  const int64_t lanes = int64_t{rows.out_w} * parallelism;
  for (int y = 0; y < rows.out_h; ++y) {
    std::fill(rows.membrane.begin(), rows.membrane.end(), 0);
    for (int t = 0; t < c.steps; ++t) {
      rows.step(t, y);
      for (int tile = 0; tile < c.co_tiles; ++tile) {
        std::copy_n(rows.fired.data() + tile * lanes, lanes, record.fired.row(t, tile, y));
        if (trace)
          std::copy_n(rows.membrane.data() + tile * lanes, lanes, record.membrane.row(t, tile, y));
      }
    }
  }
  std::vector<uint8_t> pooled(static_cast<size_t>(lanes / (c.pool ? 2 : 1)));
  const int step = c.pool ? 2 : 1, out_w = rows.out_w / step;
  for (int t = 0; t < c.steps; ++t)
    for (int tile = 0; tile < c.co_tiles; ++tile)
      for (int y = 0; y < rows.out_h / step; ++y) {
        const uint8_t* fired = record.fired.row(t, tile, y * step);
        if (c.pool) {
          for (int x = 0; x < out_w; ++x)
            for (int p = 0; p < parallelism; ++p) {
              const uint8_t* at = fired + int64_t{2} * x * parallelism + p;
              pooled[static_cast<size_t>(x * parallelism + p)] =
                  at[0] | at[parallelism] | at[lanes] | at[lanes + parallelism];
            }
          fired = pooled.data();
        }
        pack_row(fired, out_w, parallelism,
                 memory.data() + area_block(c.output, t, tile) + y * out_w * pixel);
      }
}

}  // namespace lampyris::firefly
