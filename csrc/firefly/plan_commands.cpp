#include "firefly/plan_commands.h"

#include <algorithm>

#include "core/error.h"
#include "firefly/area.h"
#include "firefly/config.h"
#include "firefly/packing.h"

namespace lampyris::firefly {

namespace {

Op layer_op(const PlanLayer& layer) {
  if (layer.op == "conv" || layer.op == "output") return Op::kConv;
  if (layer.op == "neuron") return Op::kNeuron;
  if (layer.op == "max_pool" || layer.op == "copy") return Op::kMaxPool;
  if (layer.op == "upsample") return Op::kUpsample;
  fail("weight image: plan: layer \"{}\" must have a known op, got \"{}\"", layer.name, layer.op);
}

const PlanMap& source_map(const Plan& plan, const PlanLayer& layer) {
  if (layer.inputs.size() != 1)
    fail("weight image: plan: layer \"{}\" must have one input, got {}", layer.name,
         layer.inputs.size());
  return plan.map(layer.inputs[0]);
}

const PlanMap& output_map(const Plan& plan, const PlanLayer& layer) {
  return plan.map(!layer.spikes.empty() ? layer.spikes
                                        : (!layer.stream.empty() ? layer.stream : layer.int32));
}

Area area_at(const PlanMap& map, int row, int parallelism) {
  const int64_t skip = int64_t{row} * map.width * pixel_bytes(map.kind, parallelism);
  return {map.offset + static_cast<uint32_t>(skip), map.stride_t, map.stride_c};
}

}  // namespace

SourceRows source_rows(Op op, int kernel, int stride, int padding, int row0, int row1) {
  if (op == Op::kUpsample) return {row0 / stride, (row1 - 1) / stride};
  return {row0 * stride - padding, (row1 - 1) * stride + kernel - 1 - padding};
}

int pixel_bytes(Kind kind, int parallelism) {
  switch (kind) {
    case Kind::kSpikes:
      return static_cast<int>(spike_pixel_bytes(parallelism));
    case Kind::kStream:
      return static_cast<int>(stream_pixel_bytes(parallelism));
    case Kind::kInt32:
      return static_cast<int>(int32_pixel_bytes(parallelism));
  }
  return 0;
}

Command plan_command(const Plan& plan, const PlanLayer& layer, const PlanBand& band,
                     const ParameterPlace& place) {
  const int p = plan.parallelism;
  const PlanMap& in = source_map(plan, layer);
  const PlanMap& out = output_map(plan, layer);
  Command c;
  c.op = layer_op(layer);
  c.preload = !layer.residual.empty();
  c.spikes_out = !layer.spikes.empty();
  c.stream_out = !layer.stream.empty();
  c.accumulate = layer.op == "output";
  c.membrane_out = !layer.int32.empty() && !c.accumulate;
  c.shift = layer.shift;
  c.kernel = layer.kernel, c.stride = layer.stride;
  c.ci_tiles = tile_count(in.channels, p), c.co_tiles = tile_count(out.channels, p);
  c.steps = c.op == Op::kConv || c.op == Op::kNeuron ? plan.steps : out.steps;
  c.leak = layer.leak, c.k = layer.k;
  c.table = layer.threshold.size() > 1;
  c.theta = layer.threshold.size() == 1 ? layer.threshold[0] : 0;
  const SourceRows rows =
      source_rows(c.op, c.kernel, c.stride, layer.padding, band.row0, band.row1);
  c.pad_top = rows.first < 0;
  c.pad_bottom = rows.last >= in.height;
  c.pad_left = c.pad_right = layer.padding > 0;
  const int first = std::max(rows.first, 0), last = std::min(rows.last, in.height - 1);
  c.in_h = last - first + 1, c.in_w = in.width;
  c.out_h = band.row1 - band.row0, c.out_w = out.width;
  c.source = area_at(in, first, p);
  if (c.preload) c.residual = area_at(plan.map(layer.residual), band.row0, p);
  if (c.spikes_out) c.spikes = area_at(plan.map(layer.spikes), band.row0, p);
  if (c.stream_out) c.stream = area_at(plan.map(layer.stream), band.row0, p);
  if (!layer.int32.empty()) c.stream = area_at(plan.map(layer.int32), band.row0, p);
  c.weights = place.weights, c.weight_bytes = place.weight_bytes;
  c.bias = place.bias, c.bias_bytes = place.bias_bytes;
  return c;
}

int v1_input_tiles(const Plan& plan, const PlanLayer& layer) {
  const int p = plan.parallelism;
  if (layer.op != "linear") return tile_count(source_map(plan, layer).channels, p);
  return layer.in_channels / (9 * p);
}

V1Command plan_v1_command(const Plan& plan, const PlanLayer& layer, const ParameterPlace& place) {
  const int p = plan.parallelism;
  const PlanMap& in = source_map(plan, layer);
  const PlanMap& out = output_map(plan, layer);
  V1Command c;
  c.linear = layer.op == "linear";
  c.pool = layer.pool, c.winner = layer.winner;
  c.leak = layer.leak != Leak::kNone;
  c.every_pass = layer.leak == Leak::kEveryPass;
  c.theta = layer.threshold.empty() ? 0 : layer.threshold[0];
  c.steps = plan.steps;
  c.ci_tiles = v1_input_tiles(plan, layer), c.co_tiles = tile_count(layer.out_channels, p);
  c.ci_steps = c.ci_tiles * c.steps, c.co_steps = c.co_tiles * c.steps;
  c.weight_length = c.ci_tiles * p;
  c.height = c.linear ? 3 : in.height, c.width = c.linear ? 3 : in.width;
  c.input = in.offset;
  c.input_bytes = static_cast<uint32_t>(int64_t{c.height} * c.width * c.ci_steps * p / 8);
  c.output = {out.offset, out.stride_t, out.stride_c};
  c.output_bytes = static_cast<uint32_t>(int64_t{out.height} * out.width * p / 8);
  c.weights = place.weights, c.weight_bytes = place.weight_bytes;
  c.bias = place.bias, c.bias_bytes = place.bias_bytes;
  return c;
}

int64_t layer_weight_bytes(const Plan& plan, const PlanLayer& layer) {
  const int64_t p = plan.parallelism;
  if (plan.target == "v1")
    return int64_t{v1_input_tiles(plan, layer)} * tile_count(layer.out_channels, plan.parallelism) *
           9 * p * p;
  if (layer_op(layer) != Op::kConv) return 0;
  return int64_t{tile_count(layer.in_channels, plan.parallelism)} *
         tile_count(layer.out_channels, plan.parallelism) * layer.kernel * layer.kernel * p * p;
}

int64_t layer_bias_bytes(const Plan& plan, const PlanLayer& layer) {
  const int64_t lanes =
      int64_t{tile_count(layer.out_channels, plan.parallelism)} * plan.parallelism;
  const bool bias = plan.target == "v1" || layer_op(layer) == Op::kConv;
  const bool table = plan.target != "v1" && layer.threshold.size() > 1;
  return (bias ? lanes * 2 : 0) + (table ? lanes * 4 : 0);
}

}  // namespace lampyris::firefly
