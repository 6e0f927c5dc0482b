#include "firefly/program.h"

#include <algorithm>

#include "core/error.h"
#include "core/fixed_point.h"
#include "firefly/config.h"

namespace lampyris::firefly {

namespace {
constexpr int kMaxChannels = 4096 * 16;  // 12-bit tile counts
constexpr int kMaxSide = 1 << 14;
}  // namespace

Program::Program(int parallelism, int time_steps, const std::string& preset)
    : parallelism_(parallelism), steps_(time_steps), preset_(preset) {
  check_parallelism("program", parallelism);
  preset_config(preset, parallelism);
  if (time_steps < 1) fail("program: time_steps must be at least 1, got {}", time_steps);
  violations_.require(time_steps <= kMaxSteps, "program", "time_steps must be at most {}, got {}",
                      kMaxSteps, time_steps);
}

int Program::find(const std::string& layer, const std::string& name) {
  const auto found = names_.find(name);
  if (found == names_.end())
    fail("{}: source must name a map of this program, got \"{}\"", layer, name);
  maps_[static_cast<size_t>(found->second)].read = true;
  return found->second;
}

int Program::find_kind(const std::string& layer, const std::string& name, Kind kind) {
  const int id = find(layer, name);
  const Map& map = maps_[static_cast<size_t>(id)];
  if (map.kind != kind)
    fail("{}: \"{}\" must be {}, got {}", layer, name, kind_name(kind), kind_name(map.kind));
  return id;
}

int Program::add_map(const std::string& layer, Map map) {
  if (map.name.empty()) fail("{}: name must not be empty", layer);
  if (names_.count(map.name)) fail("{}: name must be new, got \"{}\" again", layer, map.name);
  const int id = static_cast<int>(maps_.size());
  names_[map.name] = id;
  maps_.push_back(std::move(map));
  return id;
}

int Program::push(Node node) {
  nodes_.push_back(std::move(node));
  return static_cast<int>(nodes_.size()) - 1;
}

std::string Program::input(const std::string& name, Kind kind, int channels, int height, int width,
                           int steps) {
  if (kind == Kind::kInt32) fail("{}: input must be a stream or spikes, got int32", name);
  if (input_ >= 0)
    fail("{}: a program must have one input, got a second after \"{}\"", name,
         maps_[static_cast<size_t>(input_)].name);
  if (channels < 1 || channels > kMaxChannels || height < 1 || height > kMaxSide || width < 1 ||
      width > kMaxSide)
    fail("{}: input must have shape [C, H, W] with sizes from 1, got [{}, {}, {}]", name, channels,
         height, width);
  if (steps != steps_ && (steps != 1 || kind == Kind::kSpikes))
    fail("{}: steps must be {}{}, got {}", name, kind == Kind::kSpikes ? "" : "1 or ", steps_,
         steps);
  input_ = add_map(name, {name, kind, channels, height, width, steps});
  return name;
}

void Program::check_neuron(const NeuronSpec& spec, int channels) {
  const size_t count = spec.threshold.size();
  if (count != 1 && count != static_cast<size_t>(channels))
    fail("{}: threshold must have shape [] or [{}], got [{}]", spec.name, channels, count);
  const auto wide = std::find_if(spec.threshold.begin(), spec.threshold.end(), [](int32_t theta) {
    return wrap(theta, kMembraneBits) != theta;
  });
  if (wide != spec.threshold.end())
    violations_.require(false, spec.name,
                        "threshold must fit 18 bits [-131072, 131071], got {} at [{}]", *wide,
                        wide - spec.threshold.begin());
  violations_.require(spec.leak != Leak::kEveryPass, spec.name,
                      "leak must be none, half_after or before on target ems, got leak_every_pass");
  violations_.require(spec.leak != Leak::kBefore || (spec.k >= 1 && spec.k <= 4), spec.name,
                      "k must be 1 to 4, got {}", spec.k);
}

std::string Program::neuron(const NeuronSpec& spec, const std::string& source) {
  const int from = find_kind(spec.name, source, Kind::kStream);
  const Map in = maps_[static_cast<size_t>(from)];
  check_neuron(spec, in.channels);
  Node node;
  node.name = spec.name, node.op = Op::kNeuron, node.source = from, node.neuron = spec;
  Map map{spec.name,   spec.membrane ? Kind::kInt32 : Kind::kSpikes,
          in.channels, in.height,
          in.width,    spec.membrane ? 1 : steps_};
  map.producer = static_cast<int>(nodes_.size());
  (spec.membrane ? node.int32 : node.spikes) = add_map(spec.name, map);
  push(std::move(node));
  return spec.name;
}

Program::Node Program::make_conv(const std::string& name, const WeightView& w,
                                 std::span<const int16_t> bias, int source, int stride,
                                 int padding) {
  const Map& in = maps_[static_cast<size_t>(source)];
  if (w.kernel_h < 1 || w.kernel_h > kMaxSide || w.kernel_w < 1 || w.kernel_w > kMaxSide)
    fail("{}: weight must have shape [Co, Ci, k, k], got [{}, {}, {}, {}]", name, w.out, w.in,
         w.kernel_h, w.kernel_w);
  violations_.require(w.kernel_h == w.kernel_w && (w.kernel_h == 1 || w.kernel_h == 3), name,
                      "kernel must be 1 x 1 or 3 x 3, got {} x {}", w.kernel_h, w.kernel_w);
  if (w.in != in.channels || w.out < 1 || w.out > kMaxChannels)
    fail("{}: weight must have shape [Co, {}, k, k], got [{}, {}, {}, {}]", name, in.channels,
         w.out, w.in, w.kernel_h, w.kernel_w);
  if (w.values.size() != static_cast<size_t>(int64_t{w.out} * w.in * w.kernel_h * w.kernel_w))
    fail("{}: weight must have {} elements, got {}", name,
         int64_t{w.out} * w.in * w.kernel_h * w.kernel_w, w.values.size());
  if (bias.size() != static_cast<size_t>(w.out))
    fail("{}: bias must have shape [{}], got [{}]", name, w.out, bias.size());
  const auto low = std::find(w.values.begin(), w.values.end(), int8_t{-128});
  violations_.require(low == w.values.end(), name,
                      "weight must be in [-127, 127] on target ems, got -128 at element {}",
                      low - w.values.begin());
  const auto low_bias = std::find(bias.begin(), bias.end(), int16_t{-32768});
  violations_.require(low_bias == bias.end(), name,
                      "bias must be in [-32767, 32767], got -32768 at [{}]",
                      low_bias - bias.begin());
  if (stride < 1 || padding < 0 || padding > kMaxSide)
    fail("{}: stride must be from 1 and padding from 0, got {} and {}", name, stride, padding);
  violations_.require(stride <= 2, name, "stride must be 1 or 2, got {}", stride);
  violations_.require(padding == 0 || (padding == 1 && w.kernel_h != 1), name,
                      "padding must be 0, or 1 with a 3 x 3 kernel, got {}", padding);
  Node node;
  node.name = name, node.source = source, node.kernel = w.kernel_h, node.kernel_w = w.kernel_w;
  node.stride = stride, node.padding = padding;
  node.weight.assign(w.values.begin(), w.values.end());
  node.bias.assign(bias.begin(), bias.end());
  return node;
}

void Program::output_size(const Node& node, int& height, int& width) const {
  const Map& in = maps_[static_cast<size_t>(node.source)];
  height = in.height + 2 * node.padding - node.kernel;
  width = in.width + 2 * node.padding - node.kernel_w;
  if (height < 0 || width < 0)
    fail("{}: input must be at least the kernel, got [{}, {}]", node.name, in.height, in.width);
  height = height / node.stride + 1, width = width / node.stride + 1;
}

std::string Program::conv(const ConvSpec& spec) {
  const int from = find_kind(spec.name, spec.source, Kind::kSpikes);
  Node node = make_conv(spec.name, spec.weight, spec.bias, from, spec.stride, spec.padding);
  node.neuron = spec.neuron;
  violations_.require(spec.shift >= 0 && spec.shift <= kMaxShift, spec.name,
                      "shift must be 0 to {}, got {}", kMaxShift, spec.shift);
  node.shift = spec.shift;
  const int out = spec.weight.out;
  int height, width;
  output_size(node, height, width);
  if (!spec.residual.empty()) {
    node.residual = find_kind(spec.name, spec.residual, Kind::kStream);
    const Map& r = maps_[static_cast<size_t>(node.residual)];
    if (r.channels != out || r.height != height || r.width != width)
      fail("{}: residual must have shape [{}, {}, {}], got [{}, {}, {}]", spec.name, out, height,
           width, r.channels, r.height, r.width);
  }
  const int index = static_cast<int>(nodes_.size());
  const auto make_map = [&](const std::string& name, Kind kind, int steps) {
    Map map{name, kind, out, height, width, steps};
    map.producer = index;
    return add_map(spec.name, map);
  };
  if (spec.neuron) check_neuron(*spec.neuron, out);
  if (!spec.neuron || spec.store_stream) node.stream = make_map(spec.name, Kind::kStream, steps_);
  if (spec.neuron) {
    if (spec.neuron->membrane && spec.store_stream)
      fail("{}: store_stream must be False when the membrane is given out", spec.name);
    (spec.neuron->membrane ? node.int32 : node.spikes) =
        make_map(spec.neuron->name, spec.neuron->membrane ? Kind::kInt32 : Kind::kSpikes,
                 spec.neuron->membrane ? 1 : steps_);
  }
  push(std::move(node));
  return spec.neuron ? spec.neuron->name : spec.name;
}

std::string Program::output(const std::string& name, const std::string& source,
                            const WeightView& weight, std::span<const int16_t> bias) {
  const int from = find_kind(name, source, Kind::kSpikes);
  Node node = make_conv(name, weight, bias, from, 1, weight.kernel_h / 2);
  node.accumulates = true;
  int height, width;
  output_size(node, height, width);
  Map map{name, Kind::kInt32, weight.out, height, width, 1};
  map.producer = static_cast<int>(nodes_.size());
  node.int32 = add_map(name, map);
  push(std::move(node));
  return name;
}

std::string Program::resize(Op op, const std::string& name, const std::string& source) {
  const int from = find(name, source);
  const Map in = maps_[static_cast<size_t>(from)];
  if (in.kind == Kind::kInt32) fail("{}: source must be spikes or a stream, got int32", name);
  Node node;
  node.name = name, node.op = op, node.source = from, node.stride = 2;
  node.kernel = op == Op::kMaxPool ? 2 : 1;
  const bool pool = op == Op::kMaxPool;
  if (pool && (in.height < 2 || in.width < 2))
    fail("{}: input must have at least 2 x 2 pixels, got [{}, {}]", name, in.height, in.width);
  violations_.require(!pool || (in.height % 2 == 0 && in.width % 2 == 0), name,
                      "input must have even height and width, got [{}, {}] (pad the image)",
                      in.height, in.width);
  Map map{name,
          in.kind,
          in.channels,
          pool ? in.height / 2 : in.height * 2,
          pool ? in.width / 2 : in.width * 2,
          in.steps};
  map.producer = static_cast<int>(nodes_.size());
  (in.kind == Kind::kSpikes ? node.spikes : node.stream) = add_map(name, map);
  push(std::move(node));
  return name;
}

std::string Program::max_pool(const std::string& name, const std::string& source) {
  return resize(Op::kMaxPool, name, source);
}

std::string Program::upsample(const std::string& name, const std::string& source) {
  return resize(Op::kUpsample, name, source);
}

// A part that is placed by address: the map itself where it is free, else a copy.
int Program::part_for(const std::string& name, int part, int steps, int index) {
  const Map in = maps_[static_cast<size_t>(part)];
  if (in.parent < 0 && in.steps == steps) return part;
  Node node;
  node.name = text("{}.copy{}", name, index);
  node.op = Op::kMaxPool, node.copies = true, node.source = part;
  Map map{node.name, in.kind, in.channels, in.height, in.width, steps};
  map.producer = static_cast<int>(nodes_.size());
  map.read = true;
  const int copy = add_map(name, map);
  (in.kind == Kind::kSpikes ? node.spikes : node.stream) = copy;
  push(std::move(node));
  return copy;
}

std::string Program::concat(const std::string& name, const std::vector<std::string>& parts) {
  if (parts.size() < 2) fail("{}: concat must have at least two parts, got {}", name, parts.size());
  Map joined;
  joined.name = name, joined.joined = true;
  std::vector<int> ids;
  for (const std::string& part : parts) {
    ids.push_back(find(name, part));
    const Map& map = maps_[static_cast<size_t>(ids.back())];
    if (ids.size() == 1)
      joined.kind = map.kind, joined.height = map.height, joined.width = map.width;
    if (map.kind != joined.kind || map.kind == Kind::kInt32)
      fail("{}: parts must all be spikes or all be streams, got {} and {}", name,
           kind_name(joined.kind), kind_name(map.kind));
    if (map.height != joined.height || map.width != joined.width)
      fail("{}: parts must have one size, got [{}, {}] and [{}, {}]", name, joined.height,
           joined.width, map.height, map.width);
    violations_.require(
        ids.size() == parts.size() || map.channels % parallelism_ == 0, name,
        "every part but the last must have a multiple of {} channels, got {} in \"{}\"",
        parallelism_, map.channels, part);
    joined.channels += map.channels;
    joined.steps = std::max(joined.steps, map.steps);
  }
  const int parent = add_map(name, joined);
  int first = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    const int id = part_for(name, ids[i], joined.steps, static_cast<int>(i));
    Map& map = maps_[static_cast<size_t>(id)];
    map.parent = parent, map.first_channel = first;
    first += map.channels;
  }
  return name;
}

}  // namespace lampyris::firefly
