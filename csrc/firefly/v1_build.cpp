// V1Builder::build: maps, limits, proofs, registers, parameters.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/fixed_point.h"
#include "firefly/arena.h"
#include "firefly/bounds.h"
#include "firefly/config.h"
#include "firefly/host.h"
#include "firefly/image_writer.h"
#include "firefly/packing.h"
#include "firefly/plan_commands.h"
#include "firefly/v1_builder.h"

namespace lampyris::firefly {

namespace {

constexpr uint32_t kFlattenBytes = kFlattenBits / 8;
constexpr int64_t kAccumulatorLimit = int64_t{1} << 24;

uint32_t round_up(uint32_t x, uint32_t step) { return (x + step - 1) / step * step; }

// Padded classes never win: T times this stays above -2^17.
int16_t padded_class_bias(int steps) {
  return static_cast<int16_t>(std::max(-8192, -((1 << 17) / steps)));
}

}  // namespace

std::vector<PlanMap> V1Builder::make_maps() const {
  std::vector<PlanMap> maps;
  const auto add = [&](const std::string& name, int channels, int height, int width, bool linear,
                       int ready) {
    PlanMap map;
    map.name = name, map.kind = Kind::kSpikes, map.steps = steps_, map.ready = ready;
    map.channels = channels, map.height = height, map.width = width;
    // A fully connected layer gives one word of P bits in every second place.
    map.stride_c = static_cast<uint32_t>(int64_t{height} * width * p_ / 8) * (linear ? 2 : 1);
    map.stride_t = map.stride_c * static_cast<uint32_t>(tile_count(channels, p_));
    maps.push_back(map);
  };
  add(stem_ ? stem_->neuron : "input", channels_, height_, width_, false, -1);
  for (size_t n = 0; n < layers_.size(); ++n) {
    const Layer& l = layers_[n];
    // The flattened input of a fully connected layer is a multiple of 288 bits.
    if (l.spec.linear) maps.back().stride_t = round_up(maps.back().stride_t, kFlattenBytes);
    add(l.name(), l.spec.out, l.out_height, l.out_width, l.spec.linear, static_cast<int>(n));
  }
  maps.back().result = true;
  return maps;
}

std::vector<int8_t> V1Builder::arranged(const Layer& layer, const PlanMap& in, int& inputs) const {
  inputs = layer.in_channels;
  if (!layer.spec.linear) return layer.weight;
  inputs = static_cast<int>(in.stride_t) * 8;
  const int channels = inputs / kTaps, pixels = layer.in_height * layer.in_width;
  std::vector<int8_t> weight(static_cast<size_t>(layer.spec.out) * static_cast<size_t>(inputs), 0);
  const int8_t* w = layer.weight.data();
  for (int o = 0; o < layer.spec.out; ++o)
    for (int c = 0; c < layer.in_channels; ++c)
      for (int pixel = 0; pixel < pixels; ++pixel, ++w) {
        const int slot = c / p_ * static_cast<int>(in.stride_c) * 8 + pixel * p_ + c % p_;
        const int beat = slot / p_, channel = beat / kTaps * p_ + slot % p_;
        weight[static_cast<size_t>((int64_t{o} * channels + channel) * kTaps + beat % kTaps)] = *w;
      }
  return weight;
}

PlanLayer V1Builder::describe(const Layer& layer, const PlanMap& in, std::span<const int8_t> weight,
                              int inputs) const {
  const V1LayerSpec& spec = layer.spec;
  PlanLayer plan;
  plan.name = layer.name();
  plan.op = spec.linear ? "linear" : "conv";
  plan.inputs = {in.name};
  plan.neuron = spec.neuron, plan.spikes = layer.name();
  plan.pool = !spec.pool.empty(), plan.winner = spec.winner;
  plan.kernel = spec.linear ? 1 : 3, plan.padding = spec.linear ? 0 : 1;
  plan.in_channels = inputs, plan.out_channels = spec.out;
  const int pool = plan.pool ? 2 : 1;
  plan.neuron_height = layer.out_height * pool, plan.neuron_width = layer.out_width * pool;
  plan.leak = spec.leak, plan.threshold = {spec.threshold};
  plan.commands = {{0, layer.out_height, kV1Writes}};
  const int tiled = static_cast<int>(static_cast<int64_t>(weight.size()) / spec.out / 9);
  Bounds bounds = weight_bounds(weight, spec.out, tiled, 9, p_);
  membrane_bounds(bounds, weight, layer.bias, spec.out,
                  {spec.leak, spec.threshold, spec.winner, steps_});
  plan.bounds = bounds;
  return plan;
}

void V1Builder::check_layer(const Layer& layer, const PlanLayer& plan, const PlanMap& in,
                            const PlanMap& out, bool last, Violations& v) const {
  const std::string& name = plan.name;
  const Config config = preset_config(preset_, p_);
  const bool linear = layer.spec.linear;
  const int64_t ci = linear ? plan.in_channels / (9 * p_) : tile_count(layer.in_channels, p_);
  const int64_t co = tile_count(layer.spec.out, p_);
  const int h = layer.in_height, w = layer.in_width;
  v.require(steps_ <= kMaxSteps, name, "T must be at most {}, got {}", kMaxSteps, steps_);
  v.require(layer.spec.leak != Leak::kBefore, name,
            "leak must be none, half_after or leak_every_pass on target v1, got before");
  const auto low = std::find(layer.bias.begin(), layer.bias.end(), int16_t{-32768});
  v.require(low == layer.bias.end(), name, "bias must be in [-32767, 32767], got -32768 at [{}]",
            low - layer.bias.begin());
  v.require(wrap(layer.spec.threshold, kMembraneBits) == layer.spec.threshold, name,
            "threshold must fit 18 bits [-131072, 131071], got {}", layer.spec.threshold);
  if (!linear) {
    v.require(h <= kMaxFieldSide && w <= config.max_width(), name,
              "H and W must be at most {}, got [{}, {}]", config.max_width(), h, w);
    v.require(int64_t{h} * w <= config.max_pixels(), name, "H W must be at most {}, got {}",
              config.max_pixels(), int64_t{h} * w);
    v.require(!plan.pool || (h % 2 == 0 && w % 2 == 0), name,
              "pooling must have even H and W, got [{}, {}]", h, w);
  }
  v.require(ci * p_ <= config.max_v1_channels(), name, "{} must be at most {}, got {}",
            linear ? "inputs / 9" : "input channels", config.max_v1_channels(), ci * p_);
  v.require(ci <= kMaxTiles && co <= kMaxTiles, name, "channel tiles must be at most {}, got {}",
            kMaxTiles, std::max(ci, co));
  v.require(ci * steps_ <= kMaxTileSteps && co * steps_ <= kMaxTileSteps, name,
            "channel tiles times T must be at most {}, got {}", kMaxTileSteps,
            std::max(ci, co) * steps_);
  const int64_t input_bytes = int64_t{in.stride_t} * steps_;
  const int64_t weight_bytes = ci * co * 9 * p_ * p_;
  const int64_t output_bytes = int64_t{out.height} * out.width * p_ / 8;
  const int64_t limit = config.max_transfer(), output_limit = config.max_output_transfer();
  v.require(input_bytes < limit && weight_bytes < limit, name,
            "transfers must be below {} bytes, got {} in and {} of weights", limit, input_bytes,
            weight_bytes);
  v.require(output_bytes < output_limit, name, "output transfers must be below {} bytes, got {}",
            output_limit, output_bytes);
  const bool many = co * steps_ > 1;
  v.require(!many || (out.stride_c % 4 == 0 && out.stride_t % 4 == 0), name,
            "output fragments must start at multiples of 4 bytes, got strides {} and {} (make H W "
            "even)",
            out.stride_c, out.stride_t);
  v.require(!layer.spec.winner || last, name,
            "a winner-takes-all layer must be the last, got one more behind it");
  v.require(!layer.spec.winner || layer.spec.out <= p_, name,
            "a winner-takes-all layer must have at most {} classes, got {}", p_, layer.spec.out);
  const Bounds& b = *plan.bounds;
  v.require(b.tile_low >= INT16_MIN && b.tile_high <= INT16_MAX, name,
            "sums over {} input channels must fit 16 bits, got [{}, {}] (smaller weights)", p_,
            b.tile_low, b.tile_high);
  v.require(b.membrane_low >= kMembraneMin && b.membrane_high <= kMembraneMax, name,
            "membranes must fit 18 bits over T = {}, got [{}, {}] (smaller weights, fewer steps)",
            steps_, b.membrane_low, b.membrane_high);
}

void V1Builder::check_host(Violations& v) const {
  if (stem_) {
    const auto [least, largest] = stem_range(*stem_, stem_weight_, stem_bias_);
    const int64_t down = std::max<int64_t>(least, INT16_MIN);
    const int64_t up = std::min<int64_t>(largest, INT16_MAX);
    Bounds bounds;
    int64_t low = 0, high = 0;
    for (int t = 0; t < steps_; ++t) {
      low += down, high += up;
      bounds.membrane_low = std::min(bounds.membrane_low, low);
      bounds.membrane_high = std::max(bounds.membrane_high, high);
      if (stem_->leak == Leak::kHalfAfter) low >>= 1, high >>= 1;
      high = std::min<int64_t>(high, std::max(stem_->threshold, 0));
    }
    v.require(bounds.membrane_low >= kMembraneMin && bounds.membrane_high <= kMembraneMax,
              stem_->neuron, "membranes must fit 18 bits over T = {}, got [{}, {}]", steps_,
              bounds.membrane_low, bounds.membrane_high);
  }
  if (output_) {
    const int64_t fan_in = int64_t{output_->in_channels} * output_->kernel * output_->kernel;
    const int64_t reach = steps_ * (127 * fan_in + INT16_MAX);
    v.require(reach < kAccumulatorLimit, output_->name,
              "T (127 inputs + 32767) must be below 2^24, got {}", reach);
  }
}

Image V1Builder::build() const {
  if (layers_.empty()) fail("build: layers must not be empty, got none");
  Plan plan;
  plan.target = "v1", plan.preset = preset_, plan.parallelism = p_, plan.steps = steps_;
  plan.maps = make_maps();
  plan.input = plan.maps[0].name;
  plan.stem = stem_, plan.output = output_, plan.notes = notes_;
  if (layers_.back().spec.winner) plan.classes = layers_.back().spec.out;
  Violations violations;
  std::vector<std::vector<int8_t>> weights;
  for (size_t n = 0; n < layers_.size(); ++n) {
    int inputs = 0;
    weights.push_back(arranged(layers_[n], plan.maps[n], inputs));
    plan.layers.push_back(describe(layers_[n], plan.maps[n], weights.back(), inputs));
    check_layer(layers_[n], plan.layers.back(), plan.maps[n], plan.maps[n + 1],
                n + 1 == layers_.size(), violations);
  }
  check_host(violations);
  violations.raise("v1");

  const int last = static_cast<int>(layers_.size()) - 1;
  std::vector<ArenaBlock> blocks;
  for (const PlanMap& map : plan.maps)
    blocks.push_back({uint64_t{map.stride_t} * static_cast<uint64_t>(steps_), map.ready,
                      std::min(map.ready + 1, last), 0});
  plan.arena_bytes = plan_arena(blocks, 64);
  for (size_t i = 0; i < blocks.size(); ++i)
    plan.maps[i].offset = static_cast<uint32_t>(blocks[i].offset);

  ImageWriter writer;
  for (size_t n = 0; n < layers_.size(); ++n) {
    const Layer& layer = layers_[n];
    const int tiled =
        static_cast<int>(static_cast<int64_t>(weights[n].size()) / layer.spec.out / 9);
    const int16_t pad = layer.spec.winner ? padded_class_bias(steps_) : int16_t{0};
    writer.add_layer(kV1Writes, pack_weights(weights[n], layer.spec.out, tiled, 9, p_),
                     pack_bias(layer.bias, p_, pad));
    writer.set_registers(n, encode_v1(plan_v1_command(plan, plan.layers[n], writer.place_of(n))));
  }
  const auto bytes_of = [](const auto& values) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
    return std::vector<uint8_t>(bytes, bytes + values.size() * sizeof(values[0]));
  };
  if (stem_) {
    writer.add_host(kStemWeight, ImageDtype::kU8, bytes_of(stem_weight_));
    writer.add_host(kStemBias, ImageDtype::kU32, bytes_of(stem_bias_));
  }
  if (output_) {
    writer.add_host(kOutputWeight, ImageDtype::kU8, bytes_of(output_weight_));
    writer.add_host(kOutputBias, ImageDtype::kU8, bytes_of(output_bias_));
  }
  return writer.finish(plan_to_json(plan));
}

}  // namespace lampyris::firefly
