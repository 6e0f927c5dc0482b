#include "firefly-sim-report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace lampyris::firefly::sim {

namespace {

using nlohmann::ordered_json;

constexpr double kMega = 1e6, kGiga = 1e9, kPercent = 100;
constexpr size_t kShownBoxes = 10;

std::optional<double> rate_of(const Result& result, const std::string& name) {
  const StoredMap* map = result.spikes.find(name);
  if (!map || map->count() == 0) return std::nullopt;
  std::vector<uint8_t> spikes(map->count());
  map->decode(spikes.data());
  int64_t ones = 0;
  for (const uint8_t s : spikes) ones += s;
  return static_cast<double>(ones) / static_cast<double>(spikes.size());
}

int64_t count_of(const Keyed<int64_t>& counts, const std::string& name) {
  const int64_t* found = counts.find(name);
  return found ? *found : 0;
}

std::pair<int32_t, int32_t> range_of(const StoredMap& map) {
  std::vector<int32_t> values(map.count());
  map.decode(values.data());
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {*low, *high};
}

// Share of the array's peak that this many operations in these cycles are.
double utilisation(const CommandCycles& cycles, int64_t elapsed, const Config& config) {
  const double peak = 2.0 * 9 * config.parallelism * config.parallelism;
  return elapsed > 0 ? static_cast<double>(cycles.dense_ops) / (static_cast<double>(elapsed) * peak)
                     : 0;
}

void print_line(const std::string& line) { std::puts(line.c_str()); }

void print_layers(const Report& r) {
  print_line(text("{:<28} {:<9} {:>8} {:>10} {:>10} {:>10} {:>10} {:>6} {:>10} {:>8} {:>9}",
                  "layer", "op", "rate", "cycles", "compute", "weights", "stall", "use", "bytes",
                  "clamped", "saturated"));
  for (size_t n = 0; n < r.plan.layers.size(); ++n) {
    const PlanLayer& layer = r.plan.layers[n];
    const CommandCycles& c = r.timing.layers[n].cycles;
    const std::optional<double> rate = rate_of(r.result, layer.spikes);
    const int64_t cycles = r.result.layer_cycles[n];
    print_line(text("{:<28} {:<9} {:>8} {:>10} {:>10} {:>10} {:>10} {:>5.1f}% {:>10} {:>8} {:>9}",
                    layer.name, layer.op, rate ? text("{:.4f}", *rate) : "-", cycles, c.compute,
                    c.weights, c.stall, kPercent * utilisation(c, cycles, r.timing.config), c.bytes,
                    count_of(r.result.clamped, layer.current),
                    count_of(r.result.saturated, layer.neuron)));
  }
}

void print_boxes(const Report& r) {
  const std::vector<std::string>& names = r.plan.output->class_names;
  print_line(text("{} boxes", r.boxes.size()));
  for (size_t i = 0; i < std::min(r.boxes.size(), kShownBoxes); ++i) {
    const Box& b = r.boxes[i];
    const size_t label = static_cast<size_t>(b.label);
    print_line(text("  {:.3f} {} [{:.1f}, {:.1f}, {:.1f}, {:.1f}]", b.score,
                    label < names.size() ? names[label] : text("class {}", label), b.x1, b.y1, b.x2,
                    b.y2));
  }
}

void print_comparison(const Report& r) {
  const TraceComparison& c = *r.comparison;
  print_line(text("{} differences of {} values in {} maps against {}", c.differing, c.values,
                  c.compared.size(), r.compared_with));
  if (!c.only_left.empty())
    print_line(text("not compared, missing there: {} maps, first {}", c.only_left.size(),
                    c.only_left[0]));
  if (c.first) std::fputs(difference_text(*c.first, "here", r.compared_with).c_str(), stdout);
}

}  // namespace

void print_text(const Report& r) {
  const Config& config = r.timing.config;
  print_line(text("{}: target {}, P = {}, T = {}, {} layers, arena {} bytes, data path {}", r.image,
                  r.plan.target, r.plan.parallelism, r.plan.steps, r.plan.layers.size(),
                  r.plan.arena_bytes, r.datapath));
  if (r.made_up) std::puts("input: a fixed pseudo-random frame");
  print_layers(r);
  for (const auto& [name, map] : r.result.outputs.items()) {
    const auto [low, high] = range_of(map);
    print_line(text("output {}: int32 [{}, {}, {}] in [{}, {}]", name, map.channels, map.height,
                    map.width, low, high));
  }
  if (r.plan.classes > 0) print_line(text("class {}", r.result.predicted));
  if (detects(r.plan)) print_boxes(r);
  print_line(text("{} cycles; {} at {:.0f} MHz, {} core{}: {:.1f} frames/s, {:.1f} of {:.1f} GOP/s",
                  r.result.cycles, config.preset, config.clock_hz / kMega, config.cores,
                  config.cores > 1 ? "s" : "", r.timing.frames_per_second(),
                  r.timing.operations_per_second() / kGiga,
                  r.timing.peak_operations_per_second() / kGiga));
  if (!r.out.empty()) print_line(text("{} files in {}", r.files, r.out));
  if (!r.vcd.empty()) print_line(text("{} clocks in {}", r.wave_cycles, r.vcd));
  if (r.comparison) print_comparison(r);
}

void print_json(const Report& r) {
  ordered_json out = {{"image", r.image},
                      {"target", r.plan.target},
                      {"parallelism", r.plan.parallelism},
                      {"time_steps", r.plan.steps},
                      {"datapath", r.datapath},
                      {"preset", r.timing.config.preset},
                      {"clock_hz", r.timing.config.clock_hz},
                      {"cores", r.timing.config.cores},
                      {"cycles", r.result.cycles},
                      {"frames_per_second", r.timing.frames_per_second()},
                      {"operations_per_second", r.timing.operations_per_second()},
                      {"peak_operations_per_second", r.timing.peak_operations_per_second()},
                      {"seconds", r.seconds}};
  out["layers"] = ordered_json::array();
  for (size_t n = 0; n < r.plan.layers.size(); ++n) {
    const PlanLayer& layer = r.plan.layers[n];
    const CommandCycles& c = r.timing.layers[n].cycles;
    const std::optional<double> rate = rate_of(r.result, layer.spikes);
    out["layers"].push_back(
        {{"name", layer.name},
         {"op", layer.op},
         {"rate", rate ? ordered_json(*rate) : ordered_json()},
         {"cycles", r.result.layer_cycles[n]},
         {"compute", c.compute},
         {"reload", c.reload},
         {"flush", c.flush},
         {"weights", c.weights},
         {"input", c.input},
         {"residual", c.residual},
         {"output", c.output},
         {"stall", c.stall},
         {"bytes", c.bytes},
         {"dense_ops", c.dense_ops},
         {"utilisation", utilisation(c, r.result.layer_cycles[n], r.timing.config)},
         {"clamped", count_of(r.result.clamped, layer.current)},
         {"saturated", count_of(r.result.saturated, layer.neuron)}});
  }
  out["outputs"] = ordered_json::array();
  for (const auto& [name, map] : r.result.outputs.items()) {
    const auto [low, high] = range_of(map);
    out["outputs"].push_back({{"name", name},
                              {"shape", {map.channels, map.height, map.width}},
                              {"low", low},
                              {"high", high}});
  }
  out["class"] = r.plan.classes > 0 ? ordered_json(r.result.predicted) : ordered_json();
  out["boxes"] = nullptr;
  if (detects(r.plan)) {
    out["boxes"] = ordered_json::array();
    for (const Box& b : r.boxes)
      out["boxes"].push_back(
          {{"box", {b.x1, b.y1, b.x2, b.y2}}, {"score", b.score}, {"label", b.label}});
  }
  out["out"] = r.out.empty() ? ordered_json() : ordered_json(r.out);
  out["vcd"] = r.vcd.empty() ? ordered_json() : ordered_json(r.vcd);
  out["compare"] = nullptr;
  if (r.comparison)
    out["compare"] = ordered_json::parse(comparison_json(*r.comparison, "here", "there"));
  print_line(out.dump(1));
}

}  // namespace lampyris::firefly::sim
