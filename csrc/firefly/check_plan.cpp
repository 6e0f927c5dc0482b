#include "firefly/check_plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/fixed_point.h"
#include "firefly/area.h"
#include "firefly/config.h"
#include "firefly/host.h"
#include "firefly/packing.h"
#include "firefly/plan_commands.h"

namespace lampyris::firefly {

namespace {

constexpr int kMaxSide = 1 << 15;
constexpr int kMaxChannels = 1 << 17;
constexpr uint64_t kMaxArena = uint64_t{1} << 31;

template <typename... Args>
void require(bool ok, fmt::format_string<Args...> format, Args&&... args) {
  if (!ok) fail("weight image: plan: {}", text(format, std::forward<Args>(args)...));
}

void check_map(const Plan& plan, const PlanMap& m) {
  require(m.channels >= 1 && m.channels <= kMaxChannels && m.height >= 1 && m.height <= kMaxSide &&
              m.width >= 1 && m.width <= kMaxSide,
          "map \"{}\" must have sizes from 1, got [{}, {}, {}]", m.name, m.channels, m.height,
          m.width);
  require(m.steps == plan.steps || m.steps == 1, "map \"{}\" must have 1 or {} steps, got {}",
          m.name, plan.steps, m.steps);
  require(m.ready >= -1 && m.ready < static_cast<int>(plan.layers.size()),
          "map \"{}\" must be made by a layer, got {}", m.name, m.ready);
  require(m.kind != Kind::kInt32 || m.steps == 1, "int32 map \"{}\" must have 1 step, got {}",
          m.name, m.steps);
  const int64_t block = int64_t{m.height} * m.width * pixel_bytes(m.kind, plan.parallelism);
  require(blocks_disjoint({m.offset, m.stride_t, m.stride_c}, m.steps,
                          tile_count(m.channels, plan.parallelism), block),
          "map \"{}\" must have strides that keep its blocks apart, got {} and {}", m.name,
          m.stride_t, m.stride_c);
  const uint64_t end = m.offset + area_extent({m.offset, m.stride_t, m.stride_c}, m.steps,
                                              tile_count(m.channels, plan.parallelism), block);
  require(end <= plan.arena_bytes, "map \"{}\" must lie in the arena of {} bytes, got end {}",
          m.name, plan.arena_bytes, end);
}

// A map that a layer writes (or adds) next to `out`.
void check_reference(const Plan& plan, const PlanLayer& layer, const std::string& name, Kind kind,
                     const PlanMap& out) {
  if (name.empty()) return;
  const PlanMap& map = plan.map(name);
  require(map.kind == kind, "layer \"{}\" must use {} \"{}\", got {}", layer.name,
          kind_name(kind), name, kind_name(map.kind));
  require(map.channels == out.channels && map.height == out.height && map.width == out.width,
          "layer \"{}\" must use maps of shape [{}, {}, {}], got [{}, {}, {}] in \"{}\"",
          layer.name, out.channels, out.height, out.width, map.channels, map.height, map.width,
          name);
}

// Spikes of every step at the places that the released accelerator derives itself.
void check_v1_layer(const Plan& plan, const PlanLayer& layer, const PlanMap& out) {
  const PlanMap& in = plan.map(layer.inputs[0]);
  const int64_t block = int64_t{in.height} * in.width * plan.parallelism / 8;
  const int64_t step = block * tile_count(in.channels, plan.parallelism);
  require(!layer.spikes.empty() && layer.stream.empty() && layer.int32.empty() &&
              layer.residual.empty() && in.kind == Kind::kSpikes,
          "layer \"{}\" must take and give spikes only", layer.name);
  require(in.steps == plan.steps && out.steps == plan.steps,
          "layer \"{}\" must take and give {} steps, got {} and {}", layer.name, plan.steps,
          in.steps, out.steps);
  if (layer.op == "linear") {
    require(uint64_t{in.stride_t} * 8 == static_cast<uint64_t>(layer.in_channels) &&
                layer.in_channels % (9 * plan.parallelism) == 0 && out.height == 1 &&
                out.width == 1,
            "layer \"{}\" must read {} inputs, got {}", layer.name, uint64_t{in.stride_t} * 8,
            layer.in_channels);
    return;
  }
  require(layer.op == "conv", "layer \"{}\" must be conv or linear, got \"{}\"", layer.name,
          layer.op);
  require(layer.in_channels == in.channels && layer.neuron_height == in.height &&
              layer.neuron_width == in.width && in.stride_c == block && in.stride_t == step,
          "layer \"{}\" must read packed spikes of its own size, got [{}, {}, {}]", layer.name,
          in.channels, in.height, in.width);
}

// Steps and channels of what is read and written; sizes are the device's check.
void check_ems_layer(const Plan& plan, const PlanLayer& layer) {
  const PlanMap& in = plan.map(layer.inputs[0]);
  require(layer.in_channels == in.channels, "layer \"{}\" must read {} channels, got {}",
          layer.name, in.channels, layer.in_channels);
  const bool computes = layer.op == "conv" || layer.op == "output" || layer.op == "neuron";
  for (const std::string& name : {layer.spikes, layer.stream}) {
    if (name.empty()) continue;
    const PlanMap& map = plan.map(name);
    require(computes ? map.steps == plan.steps : (in.steps == map.steps || in.steps == 1),
            "layer \"{}\" must give all steps, got {} in \"{}\"", layer.name, map.steps, name);
    require(computes || map.kind == in.kind, "layer \"{}\" must give {}, got {}", layer.name,
            kind_name(in.kind), kind_name(map.kind));
  }
  const Kind read = layer.op == "neuron" ? Kind::kStream : Kind::kSpikes;
  require(computes ? in.kind == read : in.kind != Kind::kInt32,
          "layer \"{}\" must read {}, got {}", layer.name, kind_name(read), kind_name(in.kind));
}

// Keys of traces: a layer's own map or no map, and no other layer's.
void check_trace_name(const Plan& plan, const PlanLayer& layer, const std::string& name,
                      std::set<std::string>& taken) {
  if (name.empty()) return;
  const bool own = name == layer.spikes || name == layer.stream || name == layer.int32;
  const bool stored = std::any_of(plan.maps.begin(), plan.maps.end(),
                                  [&](const PlanMap& map) { return map.name == name; });
  require((own || !stored) && taken.insert(name).second,
          "layer \"{}\" must have names of its own, got \"{}\"", layer.name, name);
}

void check_layer(const Plan& plan, const PlanLayer& layer) {
  require(layer.inputs.size() == 1, "layer \"{}\" must have one input, got {}", layer.name,
          layer.inputs.size());
  const std::string& first =
      !layer.spikes.empty() ? layer.spikes : (!layer.stream.empty() ? layer.stream : layer.int32);
  require(!first.empty(), "layer \"{}\" must give a map, got none", layer.name);
  const PlanMap& out = plan.map(first);
  check_reference(plan, layer, layer.residual, Kind::kStream, out);
  check_reference(plan, layer, layer.spikes, Kind::kSpikes, out);
  check_reference(plan, layer, layer.stream, Kind::kStream, out);
  check_reference(plan, layer, layer.int32, Kind::kInt32, out);
  require(layer.out_channels == out.channels, "layer \"{}\" must give {} channels, got {}",
          layer.name, out.channels, layer.out_channels);
  const int pool = layer.pool ? 2 : 1;
  require(layer.neuron_height == out.height * pool && layer.neuron_width == out.width * pool,
          "layer \"{}\" must have size [{}, {}], got [{}, {}]", layer.name, out.height * pool,
          out.width * pool, layer.neuron_height, layer.neuron_width);
  require(layer.in_channels >= 1 && layer.in_channels <= (1 << 24),
          "layer \"{}\" must have input channels, got {}", layer.name, layer.in_channels);
  if (plan.target == "v1")
    check_v1_layer(plan, layer, out);
  else
    check_ems_layer(plan, layer);
  require(layer.kernel >= 1 && layer.kernel <= 3 && layer.stride >= 1 && layer.stride <= 2 &&
              layer.padding >= 0 && layer.padding <= 1 && layer.shift >= 0 &&
              layer.shift <= kMaxShift && layer.k >= 0 && layer.k <= 4,
          "layer \"{}\" must have kernel, stride, padding, shift and k in range", layer.name);
  require(layer.threshold.size() <= 1 ||
              layer.threshold.size() == static_cast<size_t>(layer.out_channels),
          "layer \"{}\" must have 1 or {} thresholds, got {}", layer.name, layer.out_channels,
          layer.threshold.size());
  require(layer.threshold.empty() == layer.neuron.empty(),
          "layer \"{}\" must have thresholds where it has a neuron", layer.name);
  for (const int32_t theta : layer.threshold)
    require(wrap(theta, kMembraneBits) == theta,
            "layer \"{}\" must have thresholds of 18 bits, got {}", layer.name, theta);
  int row = 0;
  for (const PlanBand& band : layer.commands) {
    require(band.row0 == row && band.row1 > row && band.row1 <= out.height,
            "layer \"{}\" must cover its rows in order, got [{}, {}) after {}", layer.name,
            band.row0, band.row1, row);
    row = band.row1;
    require(band.writes == (plan.target == "v1" ? kV1Writes : kCommandWrites),
            "layer \"{}\" must have {} register writes a command, got {}", layer.name,
            plan.target == "v1" ? kV1Writes : kCommandWrites, band.writes);
  }
  require(row == out.height, "layer \"{}\" must cover {} rows, got {}", layer.name, out.height,
          row);
}

}  // namespace

void check_plan(const Plan& plan) {
  require(plan.target == "ems" || plan.target == "v1", "target must be ems or v1, got \"{}\"",
          plan.target);
  preset_config(plan.preset, plan.parallelism);
  check_parallelism("weight image: plan", plan.parallelism);
  require(plan.steps >= 1 && plan.steps <= kMaxSteps, "time_steps must be 1 to {}, got {}",
          kMaxSteps, plan.steps);
  require(plan.arena_bytes <= kMaxArena, "arena must have at most 2^31 bytes, got {}",
          plan.arena_bytes);
  require(!plan.layers.empty(), "layers must not be empty, got none");
  std::set<std::string> names;
  for (const PlanMap& map : plan.maps) {
    require(!map.name.empty() && names.insert(map.name).second,
            "maps must have different names, got \"{}\" again", map.name);
    check_map(plan, map);
  }
  require(plan.map(plan.input).kind != Kind::kInt32, "input \"{}\" must be spikes or a stream",
          plan.input);
  std::set<std::string> currents, neurons;
  if (plan.stem && plan.stem->fires) neurons.insert(plan.stem->neuron);
  for (const PlanLayer& layer : plan.layers) {
    check_layer(plan, layer);
    check_trace_name(plan, layer, layer.current, currents);
    check_trace_name(plan, layer, layer.neuron, neurons);
  }
  require(plan.classes >= 0 && plan.classes <= plan.parallelism, "classes must be 0 to {}, got {}",
          plan.parallelism, plan.classes);
}

void check_steps(const HostOutput& o) {
  for (const double step : o.step)
    require(std::isfinite(step) && step > 0, "steps of \"{}\" must be finite and above 0, got {}",
            o.name, step);
}

// An output that the device accumulates: the host only scales it.
void check_accumulator(const Plan& plan, const HostOutput& o) {
  const PlanMap& map = plan.map(o.name);
  require(map.kind == Kind::kInt32 && o.step.size() == static_cast<size_t>(map.channels),
          "host output \"{}\" must have {} steps, got {}", o.name, map.channels, o.step.size());
}

void check_host(const Plan& plan, const Image& image) {
  const auto expect = [&](std::string_view name, int64_t bytes) {
    const ImageTensor* tensor = image.find(name);
    const int64_t got = tensor ? static_cast<int64_t>(tensor->bytes.size()) : 0;
    if (got != bytes) fail("weight image: tensor {} must have {} bytes, got {}", name, bytes, got);
    return tensor;
  };
  if (plan.stem) {
    const HostStem& s = *plan.stem;
    const PlanMap& map = plan.map(plan.input);
    require(s.in_channels >= 1 && s.in_channels <= kMaxChannels && s.out_channels == map.channels &&
                s.kernel_h >= 1 && s.kernel_w >= 1 && s.kernel_h <= 15 && s.kernel_w <= 15,
            "host stem must give {} channels from a kernel up to 15, got {}", map.channels,
            s.out_channels);
    const int64_t taps = int64_t{s.in_channels} * s.kernel_h * s.kernel_w * s.out_channels;
    const ImageTensor* w = expect(kStemWeight, taps);
    const ImageTensor* b = expect(kStemBias, int64_t{4} * s.out_channels);
    std::vector<int32_t> bias(static_cast<size_t>(s.out_channels));
    std::copy_n(b->bytes.data(), b->bytes.size(), reinterpret_cast<uint8_t*>(bias.data()));
    StemSpec spec;
    spec.name = s.name;
    spec.weight = {{reinterpret_cast<const int8_t*>(w->bytes.data()), w->bytes.size()},
                   s.out_channels,
                   s.in_channels,
                   s.kernel_h,
                   s.kernel_w};
    spec.bias = bias;
    spec.stride = s.stride, spec.padding = s.padding, spec.shift = s.shift;
    spec.channels = s.in_channels, spec.height = s.in_height, spec.width = s.in_width;
    spec.steps = s.in_steps;
    make_stem(spec, plan.steps);
    require(s.fires == (plan.target == "v1") &&
                (s.leak == Leak::kNone || s.leak == Leak::kHalfAfter) &&
                wrap(s.threshold, kMembraneBits) == s.threshold,
            "host stem must have a neuron of target {}", plan.target);
    const auto [height, width] = stem_output_size(s);
    require(height == map.height && width == map.width &&
                map.kind == (s.fires ? Kind::kSpikes : Kind::kStream) &&
                map.steps == (s.fires ? plan.steps : s.in_steps),
            "host stem must give the input [{}, {}, {}, {}], got [{}, {}, {}, {}]", map.steps,
            map.channels, map.height, map.width, s.in_steps, s.out_channels, height, width);
  }
  if (!plan.output) {
    require(plan.further_outputs.empty(), "further outputs must stand behind a host output, got {}",
            plan.further_outputs.size());
    return;
  }
  const HostOutput& o = *plan.output;
  std::set<std::string_view> names{o.name};
  for (const HostOutput& further : plan.further_outputs) {
    require(!o.convolves && !further.convolves && names.insert(further.name).second,
            "further output \"{}\" must be another int32 map", further.name);
    check_steps(further);
    check_accumulator(plan, further);
  }
  check_steps(o);
  if (!o.convolves) {
    check_accumulator(plan, o);
    return;
  }
  const PlanMap& map = plan.map(plan.layers.back().spikes);
  require(o.in_channels == map.channels && o.out_channels >= 1 && o.out_channels <= kMaxChannels &&
              (o.kernel == 1 || o.kernel == 3) && o.padding == o.kernel / 2 &&
              o.step.size() == static_cast<size_t>(o.out_channels),
          "host output must read {} channels with a 1 x 1 or 3 x 3 kernel, got {}", map.channels,
          o.in_channels);
  expect(kOutputWeight, int64_t{o.out_channels} * o.in_channels * o.kernel * o.kernel);
  expect(kOutputBias, int64_t{2} * o.out_channels);
}

}  // namespace lampyris::firefly
