// firefly-sim IMAGE [INPUT.npy]: runs a weight image on the accelerator model, without Python.
// Prints what each layer gave and what it cost; keeps, compares and traces the run when asked.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "core/error.h"
#include "firefly-sim-arguments.h"
#include "firefly-sim-progress.h"
#include "firefly-sim-report.h"
#include "firefly/device.h"
#include "firefly/image.h"
#include "firefly/npy.h"
#include "firefly/trace_folder.h"
#include "firefly/wave.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"

namespace {

using namespace lampyris;
using namespace lampyris::firefly;

constexpr int kError = 1, kUsage = 2, kDifferent = 3;
constexpr uint64_t kPage = 4096;

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

NpyArray load_input(const std::string& path) {
  const MappedFile file(path);
  try {
    return read_npy(file.bytes());
  } catch (const std::invalid_argument& error) {
    fail("{}: {}", path, error.what());
  }
}

// Bytes of memory that image and arena take.
uint64_t used_bytes(const LoadedImage& image) {
  return (image.data_bytes + kPage - 1) / kPage * kPage + image.plan.arena_bytes;
}

std::vector<std::string> command_layers(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlanLayer& layer : plan.layers)
    names.insert(names.end(), layer.commands.size(), layer.name);
  return names;
}

int64_t first_command(const Plan& plan, size_t layer) {
  int64_t count = 0;
  for (size_t n = 0; n < layer; ++n) count += static_cast<int64_t>(plan.layers[n].commands.size());
  return count;
}

Config chosen_config(const sim::Arguments& arguments, const Plan& plan) {
  Config config;
  if (arguments.config.empty()) {
    const std::string& preset = arguments.preset.empty() ? plan.preset : arguments.preset;
    config = preset_config(preset, plan.parallelism);
  } else {
    const MappedFile file(arguments.config);
    const auto* text = reinterpret_cast<const char*>(file.bytes().data());
    try {
      config = config_from_json({text, file.bytes().size()});
    } catch (const std::invalid_argument& error) {
      fail("{}: {}", arguments.config, error.what());
    }
  }
  if (!arguments.datapath.empty())
    config.datapath = parse_datapath("firefly-sim", arguments.datapath);
  return config;
}

int run(const sim::Arguments& arguments) {
  Repairs repairs;
  const Image image = load_image(arguments.image, {.strict = arguments.strict}, &repairs);
  for (const TensorRepair& row : repairs)
    if (row.corrected_pages != 0)
      std::fprintf(stderr, "firefly-sim: corrected %lld wrong bits on %lld pages of %s\n",
                   static_cast<long long>(row.corrected_bits),
                   static_cast<long long>(row.corrected_pages), row.tensor.c_str());
  const LoadedImage loaded(image);
  const Plan& plan = loaded.plan;
  const Timing timing = image_timing(image, chosen_config(arguments, plan));
  const NpyArray input = arguments.input.empty() ? made_up(plan) : load_input(arguments.input);
  const bool keeps = !arguments.out.empty() || !arguments.compare.empty();

  DeviceOptions options;
  options.config = timing.config;
  options.trace = keeps;
  Device device(options);
  sim::Progress progress(command_layers(plan), arguments.period);
  WatchingPort port(device, [&](int64_t commands) { progress.started(commands); });
  WaveRequest request;
  if (!arguments.trace.empty()) request = parse_wave(plan, arguments.trace);
  const PlanLayer& watched = plan.layers.at(request.layer);
  WaveFile wave({watched.name, plan.parallelism, plan.target != "v1", timing.config.clock_hz});
  if (!arguments.trace.empty()) {
    const int64_t first = first_command(plan, request.layer);
    port.watch(request, first, first + static_cast<int64_t>(watched.commands.size()) - 1,
               timing.config, used_bytes(loaded), wave);
  }

  Driver driver(port);
  driver.load(loaded);
  const auto begin = std::chrono::steady_clock::now();
  const Result result = driver.run(frame_of(input));
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;

  sim::Report report{.image = arguments.image,
                     .datapath = std::string(datapath_name(timing.config.datapath)),
                     .made_up = arguments.input.empty(),
                     .plan = plan,
                     .timing = timing,
                     .result = result,
                     .seconds = passed.count()};
  if (detects(plan)) report.boxes = result_boxes(plan, result);
  if (!arguments.compare.empty()) {
    report.compared_with = arguments.compare;
    report.comparison = compare_traces(loaded, ResultTrace(result, &input),
                                       FolderTrace(arguments.compare));
  }
  if (!arguments.out.empty()) {
    report.out = arguments.out;
    report.files = save_trace(arguments.out, result, input);
  }
  if (!arguments.trace.empty()) {
    const std::string file = wave.finish();
    report.vcd = arguments.vcd, report.wave_cycles = wave.cycles();
    write_file_atomic(arguments.vcd,
                      {reinterpret_cast<const uint8_t*>(file.data()), file.size()});
  }
  arguments.json ? print_json(report) : print_text(report);
  return report.comparison && !report.comparison->equal() ? kDifferent : 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const sim::Arguments arguments = sim::parse_arguments(argc, argv);
    if (!arguments.help) return run(arguments);
    std::fputs(sim::usage(), stdout);
  } catch (const sim::UsageError& error) {
    std::fprintf(stderr, "%s (--help lists the options)\n", error.what());
    return kUsage;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "firefly-sim: error: %s\n", error.what());
    return kError;
  }
  return 0;
}
