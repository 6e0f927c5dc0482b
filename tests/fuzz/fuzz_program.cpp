// Plans, registers and parameters behind the file format: check_program either refuses an image with
// std::invalid_argument or the device runs it, and both agree on what it holds.
//
// An input is plan text, a zero byte, then tensors: one byte of kind (layer * 3 + part, or 255 - host
// part), two bytes of length, the bytes.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "core/error.h"
#include "driver.h"
#include "firefly/check_plan.h"
#include "firefly/config.h"
#include "firefly/device.h"
#include "firefly/driver.h"
#include "firefly/image_writer.h"
#include "firefly/packing.h"
#include "firefly/program.h"
#include "firefly/v1_builder.h"

namespace {

using namespace lampyris;
using namespace lampyris::firefly;

constexpr std::ptrdiff_t kPrefix = 3;
constexpr uint64_t kMemory = 1 << 22;
constexpr double kMostPixels = 4096;
constexpr double kMostWork = 5e7;  // synapses and copies of a frame
constexpr std::array<const char*, 3> kParts = {"registers", "weights", "bias"};
constexpr std::array<std::string_view, 4> kHost = {kStemWeight, kStemBias, kOutputWeight,
                                                   kOutputBias};

bool is_words(std::string_view name) { return name.ends_with("registers") || name == kStemBias; }

std::string tensor_name(uint8_t kind) {
  const size_t host = size_t{255} - kind;
  if (host < kHost.size()) return std::string(kHost[host]);
  return layer_tensor(kind / 3, kParts[kind % 3]);
}

Image decode(const uint8_t* data, size_t size) {
  Image image;
  const uint8_t* const end = data + size;
  const uint8_t* at = std::find(data, end, uint8_t{0});
  image.plan_json.assign(data, at);
  if (at != end) ++at;
  while (end - at >= kPrefix) {
    const std::string name = tensor_name(at[0]);
    const std::ptrdiff_t wanted = at[1] | at[2] << 8;
    at += kPrefix;
    const uint8_t* const next = at + std::min(wanted, end - at);
    image.tensors.push_back(
        {name, is_words(name) ? ImageDtype::kU32 : ImageDtype::kU8, {at, next}});
    at = next;
  }
  return image;
}

FuzzInput encode(const Image& image) {
  FuzzInput input(image.plan_json.begin(), image.plan_json.end());
  input.push_back(0);
  for (const ImageTensor& tensor : image.tensors)
    for (int kind = 0; kind < 256; ++kind)
      if (tensor_name(static_cast<uint8_t>(kind)) == tensor.name) {
        const size_t length = tensor.bytes.size();
        input.insert(input.end(), {static_cast<uint8_t>(kind), static_cast<uint8_t>(length),
                                   static_cast<uint8_t>(length >> 8)});
        input.insert(input.end(), tensor.bytes.begin(), tensor.bytes.end());
        break;
      }
  return input;
}

double work(const Plan& plan) {
  double sum = 0;
  for (const PlanMap& m : plan.maps) sum += double{1} * m.channels * m.height * m.width * m.steps;
  for (const PlanLayer& l : plan.layers)
    sum += double{1} * l.in_channels * l.out_channels * l.neuron_height * l.neuron_width *
           l.kernel * l.kernel * plan.steps / 64;
  if (plan.stem)
    sum += double{1} * plan.stem->in_channels * plan.stem->in_height * plan.stem->in_width *
           plan.stem->in_steps * plan.stem->out_channels * plan.stem->kernel_h *
           plan.stem->kernel_w / 16;
  if (plan.output)
    sum += double{9} * plan.output->in_channels * plan.output->out_channels *
           kMostPixels * plan.steps;
  return sum;
}

// Runs a frame on a tracing device.
void run(const LoadedImage& image) {
  const Plan& plan = image.plan;
  if (work(plan) > kMostWork) return;
  DeviceOptions options;
  options.parallelism = plan.parallelism, options.memory_bytes = kMemory, options.trace = true;
  Device device(options);
  Driver driver(device);
  try {
    driver.load(image);
  } catch (const std::invalid_argument&) {
    return;  // a larger memory
  }
  const PlanMap& map = plan.map(plan.input);
  const auto count = [](const std::vector<int64_t>& shape) {
    size_t size = 1;
    for (const int64_t side : shape) size *= static_cast<size_t>(side);
    return size;
  };
  Frame frame;
  frame.shape = {map.steps, map.channels, map.height, map.width};
  if (plan.stem)
    frame.shape = {plan.stem->in_steps, plan.stem->in_channels, plan.stem->in_height,
                   plan.stem->in_width};
  const std::vector<uint8_t> bytes(count(frame.shape), 1);
  const std::vector<int16_t> words(count(frame.shape), 300);
  if (plan.stem)
    frame.pixels = bytes;
  else if (map.kind == Kind::kSpikes)
    frame.spikes = bytes;
  else
    frame.currents = words;
  driver.run(frame);  // a command that check_program passed is one the device runs
}

template <class T>
std::vector<T> values(size_t count, int low, int high) {
  std::vector<T> all(count);
  for (size_t i = 0; i < count; ++i)
    all[i] = static_cast<T>(low + static_cast<int>(i * 37 % static_cast<size_t>(high - low + 1)));
  return all;
}

Image ems_image(int parallelism) {
  Program program(parallelism, 2, "zcu104");
  const int wide = parallelism;
  program.input("x", Kind::kStream, wide, 4, 4, 1);
  const auto stem_weight = values<int8_t>(static_cast<size_t>(wide) * 9, -99, 99);
  const auto stem_bias = values<int32_t>(static_cast<size_t>(wide), -999, 999);
  StemSpec stem;
  stem.name = "x", stem.weight = {stem_weight, wide, 1, 3, 3}, stem.bias = stem_bias;
  stem.stride = 2, stem.padding = 1, stem.shift = 3;
  stem.channels = 1, stem.height = stem.width = 8;
  program.host_stem(stem);
  program.neuron({"n0", {30}, Leak::kBefore, 2, false}, "x");
  const auto w = values<int8_t>(static_cast<size_t>(wide) * static_cast<size_t>(wide), -99, 99);
  const auto b = values<int16_t>(static_cast<size_t>(wide), -500, 500);
  ConvSpec conv;
  conv.name = "c1", conv.source = "n0", conv.weight = {w, wide, wide, 1, 1}, conv.bias = b;
  conv.padding = 0, conv.residual = "x", conv.shift = 1;
  conv.neuron = NeuronSpec{"n1", values<int32_t>(static_cast<size_t>(wide), 0, 900), Leak::kNone, 2,
                           false};
  conv.store_stream = true;
  program.conv(conv);
  program.max_pool("pool", "c1");
  program.neuron({"n2", {99}, Leak::kHalfAfter, 2, true}, "pool");
  program.concat("both", {"n0", "n1"});
  program.upsample("up", "both");
  const auto w2 = values<int8_t>(static_cast<size_t>(2 * wide) * 3, -99, 99);
  program.output("head", "up", {w2, 3, 2 * wide, 1, 1}, values<int16_t>(3, -99, 99));
  program.host_output("head", std::vector<double>(3, 0.125), {"a"});
  return program.build();
}

Image v1_image() {
  V1Builder builder(16, 2, 3, 4, 4, "ultra96");
  const auto w0 = values<int8_t>(16 * 3 * 9, -9, 9), w1 = values<int8_t>(5 * 16 * 4, -9, 9);
  const auto b0 = values<int16_t>(16, -50, 50), b1 = values<int16_t>(5, -50, 50);
  V1LayerSpec first;
  first.neuron = "n0", first.pool = "p0", first.weight = w0, first.bias = b0;
  first.out = 16, first.in = 3, first.threshold = 20;
  builder.layer(first);
  V1LayerSpec last;
  last.neuron = "n1", last.weight = w1, last.bias = b1, last.linear = last.winner = true;
  last.out = 5, last.in = 64, last.threshold = 20;
  builder.layer(last);
  return builder.build();
}

void try_image(const Image& image) {
  try {
    check_program(image);
  } catch (const std::invalid_argument&) {
    return;
  }
  run(LoadedImage(image));
}

// The image that the plan means: its registers, and parameters of the right length. A plan that is
// wrong by itself throws std::invalid_argument.
Image agreeing(const Image& image) {
  constexpr int64_t kMost = 1 << 18;  // bytes of a tensor
  const Plan plan = plan_from_json(image.plan_json);
  check_plan(plan);
  ImageWriter writer;
  const auto sized = [&](const std::string& name, int64_t bytes) {
    if (bytes > kMost) fail("too long to try");
    const ImageTensor* tensor = image.find(name);
    FuzzInput content = tensor ? tensor->bytes : FuzzInput();
    content.resize(static_cast<size_t>(bytes), 1);
    return content;
  };
  for (size_t n = 0; n < plan.layers.size(); ++n) {
    const PlanLayer& layer = plan.layers[n];
    FuzzInput bias = sized(layer_tensor(n, "bias"), layer_bias_bytes(plan, layer));
    const size_t table = layer.threshold.size() > 1 ? layer.threshold.size() : 0;
    const size_t lanes = static_cast<size_t>(tile_count(layer.out_channels, plan.parallelism) *
                                             plan.parallelism);
    if (table != 0 && plan.target == "ems")
      std::copy_n(reinterpret_cast<const uint8_t*>(layer.threshold.data()), 4 * table,
                  bias.end() - static_cast<std::ptrdiff_t>(4 * lanes));
    size_t writes = 0;
    for (const PlanBand& band : layer.commands) writes += static_cast<size_t>(band.writes);
    writer.add_layer(writes, sized(layer_tensor(n, "weights"), layer_weight_bytes(plan, layer)),
                     bias);
  }
  for (size_t n = 0; n < plan.layers.size(); ++n) {
    const PlanLayer& layer = plan.layers[n];
    std::vector<RegisterWrite> all;
    for (const PlanBand& band : layer.commands) {
      const auto& place = writer.place_of(n);
      const auto writes = plan.target == "v1"
                              ? encode_v1(plan_v1_command(plan, layer, place))
                              : encode_command(plan_command(plan, layer, band, place));
      all.insert(all.end(), writes.begin(), writes.end());
    }
    writer.set_registers(n, all);
  }
  for (const std::string_view name : kHost)
    if (const ImageTensor* tensor = image.find(name))
      writer.add_host(name, tensor->dtype, tensor->bytes);
  return writer.finish(image.plan_json);
}

}  // namespace

std::vector<FuzzInput> fuzz_seeds() {
  return {encode(ems_image(16)), encode(v1_image()), encode(ems_image(32))};
}

// Once as it is, once made to agree with its plan.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Image image = decode(data, size);
  try_image(image);
  try {
    try_image(agreeing(image));
  } catch (const std::invalid_argument&) {
  }
  return 0;
}
