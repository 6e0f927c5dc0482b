// Program::build: plan, registers, parameters, host parts.
#include "core/error.h"
#include "firefly/bounds.h"
#include "firefly/image_writer.h"
#include "firefly/lower.h"
#include "firefly/packing.h"
#include "firefly/plan_commands.h"
#include "firefly/program.h"

namespace lampyris::firefly {

namespace {

std::string layer_op(const Program::Node& node) {
  if (node.copies) return "copy";
  if (node.accumulates) return "output";
  return std::string(op_name(node.op));
}

PlanLayer describe(const Program& program, const Program::Node& node) {
  const auto& maps = program.maps();
  const auto name = [&](int id) {
    return id >= 0 ? maps[static_cast<size_t>(id)].name : std::string();
  };
  const int made = node.spikes >= 0 ? node.spikes : (node.stream >= 0 ? node.stream : node.int32);
  const Program::Map& in = maps[static_cast<size_t>(node.source)];
  const Program::Map& out = maps[static_cast<size_t>(made)];
  PlanLayer layer;
  layer.name = node.name, layer.op = layer_op(node);
  layer.inputs = {in.name};
  layer.residual = name(node.residual);
  layer.spikes = name(node.spikes), layer.stream = name(node.stream),
  layer.int32 = name(node.int32);
  layer.kernel = node.kernel, layer.stride = node.stride;
  layer.padding = node.padding, layer.shift = node.shift;
  layer.in_channels = in.channels, layer.out_channels = out.channels;
  layer.neuron_height = out.height, layer.neuron_width = out.width;
  if (node.op == Op::kConv && !node.accumulates) layer.current = node.name;
  if (node.neuron) {
    layer.neuron = node.neuron->name;
    layer.leak = node.neuron->leak;
    layer.k = node.neuron->leak == Leak::kBefore ? node.neuron->k : 0;
    layer.threshold = node.neuron->threshold;
  }
  if (node.op == Op::kConv)
    layer.bounds = weight_bounds(node.weight, out.channels, in.channels, node.kernel * node.kernel,
                                 program.parallelism());
  return layer;
}

std::vector<uint8_t> parameters(const Program& program, const Program::Node& node) {
  std::vector<uint8_t> bytes;
  if (node.op == Op::kConv) bytes = pack_bias(node.bias, program.parallelism());
  if (node.neuron && node.neuron->threshold.size() > 1)
    append_thresholds(bytes, node.neuron->threshold, program.parallelism());
  return bytes;
}

}  // namespace

Image Program::build() const {
  if (nodes_.empty()) fail("program: must have at least one layer, got none");
  if (input_ < 0) fail("program: must have an input, got none");
  if (stem_ && stem_->name != maps_[static_cast<size_t>(input_)].name)
    fail("program: host stem must give the input \"{}\", got \"{}\"",
         maps_[static_cast<size_t>(input_)].name, stem_->name);
  Lowering lowering(*this);
  lowering.check(violations_);
  Plan plan;
  plan.target = "ems", plan.preset = preset_;
  plan.parallelism = parallelism_, plan.steps = steps_;
  plan.input = maps_[static_cast<size_t>(input_)].name;
  plan.stem = stem_, plan.output = output_, plan.notes = notes_;
  plan.further_outputs = further_outputs_;
  lowering.place(plan);

  ImageWriter writer;
  for (size_t n = 0; n < nodes_.size(); ++n) {
    const Node& node = nodes_[n];
    PlanLayer layer = describe(*this, node);
    for (const Band& band : lowering.bands(n))
      layer.commands.push_back({band.row0, band.row1, kCommandWrites});
    std::vector<uint8_t> weights;
    if (node.op == Op::kConv)
      weights = pack_weights(node.weight, layer.out_channels, layer.in_channels,
                             node.kernel * node.kernel, parallelism_);
    writer.add_layer(layer.commands.size() * kCommandWrites, std::move(weights),
                     parameters(*this, node));
    plan.layers.push_back(std::move(layer));
  }
  for (size_t n = 0; n < nodes_.size(); ++n) {
    std::vector<RegisterWrite> all;
    for (const PlanBand& band : plan.layers[n].commands) {
      const std::vector<RegisterWrite> writes =
          encode_command(plan_command(plan, plan.layers[n], band, writer.place_of(n)));
      all.insert(all.end(), writes.begin(), writes.end());
    }
    writer.set_registers(n, all);
  }
  if (stem_) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(stem_weight_.data());
    writer.add_host(kStemWeight, ImageDtype::kU8, {bytes, bytes + stem_weight_.size()});
    writer.add_host(kStemBias, ImageDtype::kU32, pack_int32(stem_bias_));
  }
  return writer.finish(plan_to_json(plan));
}

}  // namespace lampyris::firefly
