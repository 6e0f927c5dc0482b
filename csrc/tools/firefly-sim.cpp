// firefly-sim IMAGE [INPUT.npy]: runs a weight image on the accelerator model, without Python.
// Prints what each layer gave and what it cost.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "core/error.h"
#include "firefly/device.h"
#include "firefly/driver.h"
#include "firefly/image.h"
#include "firefly/npy.h"
#include "firefly/timing.h"
#include "io/mapped_file.h"

namespace {

using namespace lampyris;
using namespace lampyris::firefly;

constexpr const char* kUsage =
    "usage: firefly-sim IMAGE [INPUT.npy] [--preset ultra96|zcu104|kv260]\n"
    "  INPUT  uint8 [C, H, W] or [T, C, H, W] with a host stem, else bool spikes or int16 "
    "currents;\n"
    "         without it a fixed pseudo-random frame is used\n";

struct Arguments {
  std::string image, input, preset;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--help" || word == "-h") {
      std::fputs(kUsage, stdout);
      std::exit(0);
    }
    if (word == "--preset") {
      if (++i == argc) fail("firefly-sim: --preset must be followed by a board, got nothing");
      arguments.preset = argv[i];
    } else if (word.starts_with("-")) {
      fail("firefly-sim: option must be --preset or --help, got {}", word);
    } else if (arguments.image.empty()) {
      arguments.image = word;
    } else if (arguments.input.empty()) {
      arguments.input = word;
    } else {
      fail("firefly-sim: arguments must be IMAGE and INPUT, got one more, {}", word);
    }
  }
  if (arguments.image.empty()) fail("firefly-sim: IMAGE must be given, got none");
  return arguments;
}

// A frame of the input's type and shape from a fixed linear congruential generator.
NpyArray made_up(const Plan& plan) {
  NpyArray array;
  const PlanMap& map = plan.map(plan.input);
  if (plan.stem) {
    const HostStem& s = *plan.stem;
    array.shape = {s.in_steps, s.in_channels, s.in_height, s.in_width};
  } else {
    array.type = map.kind == Kind::kSpikes ? NpyType::kBool : NpyType::kInt16;
    array.shape = {map.steps, map.channels, map.height, map.width};
  }
  int64_t bytes = array.type == NpyType::kInt16 ? 2 : 1;
  for (const int64_t size : array.shape) bytes *= size;
  array.bytes.resize(static_cast<size_t>(bytes));
  uint32_t state = 1;
  for (size_t i = 0; i < array.bytes.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    const uint8_t byte = static_cast<uint8_t>(state >> 24);
    array.bytes[i] = array.type == NpyType::kBool ? byte < 64 : byte;
    if (array.type == NpyType::kInt16 && i % 2 == 1) array.bytes[i] = byte & 1 ? 0xFF : 0;
  }
  return array;
}

Frame frame_of(const NpyArray& array) {
  Frame frame;
  frame.shape = array.shape;
  if (frame.shape.size() == 3) frame.shape.insert(frame.shape.begin(), 1);
  if (array.type == NpyType::kUint8) frame.pixels = array.bytes;
  if (array.type == NpyType::kBool) frame.spikes = array.bytes;
  if (array.type == NpyType::kInt16)
    frame.currents = {reinterpret_cast<const int16_t*>(array.bytes.data()), array.bytes.size() / 2};
  return frame;
}

void print_layer(const PlanLayer& layer, const LayerTiming& timing, int64_t cycles,
                 const Result& result) {
  std::string rate = "-";
  if (const StoredMap* map = result.spikes.find(layer.spikes)) {
    std::vector<uint8_t> spikes(map->count());
    map->decode(spikes.data());
    int64_t ones = 0;
    for (const uint8_t s : spikes) ones += s;
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), "%.4f",
                  static_cast<double>(ones) / static_cast<double>(spikes.size()));
    rate = buffer;
  }
  const int64_t* clamped = result.clamped.find(layer.current);
  const int64_t* saturated = result.saturated.find(layer.neuron);
  std::printf(
      "%-28s %-9s %8s %10lld %10lld %10lld %10lld %8lld %9lld\n", layer.name.c_str(),
      layer.op.c_str(), rate.c_str(), static_cast<long long>(cycles),
      static_cast<long long>(timing.cycles.compute), static_cast<long long>(timing.cycles.weights),
      static_cast<long long>(timing.cycles.stall), static_cast<long long>(clamped ? *clamped : 0),
      static_cast<long long>(saturated ? *saturated : 0));
}

void print_outputs(const Plan& plan, const Result& result) {
  for (const auto& [name, map] : result.outputs.items()) {
    std::vector<int32_t> values(map.count());
    map.decode(values.data());
    int32_t low = values[0], high = values[0];
    for (const int32_t v : values) low = std::min(low, v), high = std::max(high, v);
    std::printf("output %s: int32 [%d, %d, %d] in [%d, %d]\n", name.c_str(), map.channels,
                map.height, map.width, low, high);
  }
  if (plan.classes > 0) std::printf("class %d\n", result.predicted);
}

NpyArray load_input(const std::string& path) {
  const MappedFile file(path);
  try {
    return read_npy(file.bytes());
  } catch (const std::invalid_argument& error) {
    fail("{}: {}", path, error.what());
  }
}

void run(const Arguments& arguments) {
  const Image image = load_image(arguments.image);
  const LoadedImage loaded(image);
  const Plan& plan = loaded.plan;
  const Timing timing = image_timing(image, arguments.preset);
  const NpyArray input = arguments.input.empty() ? made_up(plan) : load_input(arguments.input);
  DeviceOptions options;
  options.parallelism = plan.parallelism;
  options.preset = timing.config.preset;
  Device device(options);
  Driver driver(device);
  driver.load(loaded);
  const Result result = driver.run(frame_of(input));
  std::printf("%s: target %s, P = %d, T = %d, %zu layers, arena %llu bytes\n",
              arguments.image.c_str(), plan.target.c_str(), plan.parallelism, plan.steps,
              plan.layers.size(), static_cast<unsigned long long>(plan.arena_bytes));
  if (arguments.input.empty()) std::puts("input: a fixed pseudo-random frame");
  std::printf("%-28s %-9s %8s %10s %10s %10s %10s %8s %9s\n", "layer", "op", "rate", "cycles",
              "compute", "weights", "stall", "clamped", "saturated");
  for (size_t n = 0; n < plan.layers.size(); ++n)
    print_layer(plan.layers[n], timing.layers[n], result.layer_cycles[n], result);
  print_outputs(plan, result);
  std::printf("%lld cycles; %s at %.0f MHz, %d core%s: %.1f frames/s, %.1f of %.1f GOP/s\n",
              static_cast<long long>(result.cycles), timing.config.preset.c_str(),
              timing.config.clock_hz / 1e6, timing.config.cores, timing.config.cores > 1 ? "s" : "",
              timing.frames_per_second(), timing.operations_per_second() / 1e9,
              timing.peak_operations_per_second() / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "firefly-sim: error: %s\n", error.what());
    return 1;
  }
  return 0;
}
