#include "firefly/wave.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/fixed_point.h"
#include "firefly/packing.h"

namespace lampyris::firefly {

namespace {

constexpr int kCounterBits = 12, kReleasedSumBits = 16, kSumBits = 18, kCurrentBits = 32;
constexpr double kPicoseconds = 1e12;

int parse_int(std::string_view part, std::string_view whole) {
  int value = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (error != std::errc() || end != part.data() + part.size() || value < 0)
    fail("trace: place must be LAYER:TILE:T, got \"{}\"", whole);
  return value;
}

size_t find_layer(const Plan& plan, std::string_view name) {
  for (size_t n = 0; n < plan.layers.size(); ++n)
    if (plan.layers[n].name == name) return n;
  size_t n = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  if (error == std::errc() && end == name.data() + name.size() && n < plan.layers.size()) return n;
  std::string names;
  for (const PlanLayer& layer : plan.layers) names += (names.empty() ? "" : ", ") + layer.name;
  fail("trace: layer must be 0 to {} or one of {}, got \"{}\"", plan.layers.size() - 1, names, name);
}

}  // namespace

WaveRequest parse_wave(const Plan& plan, std::string_view whole) {
  const size_t second = whole.rfind(':');
  const size_t first = second == std::string_view::npos || second == 0
                           ? std::string_view::npos
                           : whole.rfind(':', second - 1);
  if (first == std::string_view::npos)
    fail("trace: place must be LAYER:TILE:T, got \"{}\"", whole);
  WaveRequest request;
  request.layer = find_layer(plan, whole.substr(0, first));
  request.tile = parse_int(whole.substr(first + 1, second - first - 1), whole);
  request.t = parse_int(whole.substr(second + 1), whole);
  const PlanLayer& layer = plan.layers[request.layer];
  if (layer.op != "conv" && layer.op != "linear" && layer.op != "neuron" && layer.op != "output")
    fail("trace: layer \"{}\" must compute sums or neurons, got op {}", layer.name, layer.op);
  const int tiles = tile_count(layer.out_channels, plan.parallelism);
  if (request.tile >= tiles || request.t >= plan.steps)
    fail("trace: layer \"{}\" must have that place, got tile {} of {} and t {} of {}", layer.name,
         request.tile, tiles, request.t, plan.steps);
  return request;
}

WaveFile::WaveFile(const WaveShape& shape) : shape_(shape), vcd_({"firefly", shape.scope}) {
  const int p = shape.parallelism;
  clock_ = vcd_.add("clk", 1);
  input_valid_ = vcd_.add("input_valid", 1);
  in_tile_ = vcd_.add("input_tile", kCounterBits), in_pixel_ = vcd_.add("input_pixel", 24);
  for (int tap = 0; tap < kWaveTaps; ++tap)
    taps_.push_back(vcd_.add(text("spikes_tap{}{}", tap / 3, tap % 3), p));
  sum_valid_ = vcd_.add("sum_valid", 1);
  sums_ = lane_signals("tile_sum", shape.ems ? kSumBits : kReleasedSumBits);
  output_valid_ = vcd_.add("output_valid", 1);
  out_tile_ = vcd_.add("output_tile", kCounterBits), out_pixel_ = vcd_.add("pixel", 24);
  last_ = vcd_.add("last_tile", 1);
  if (shape.ems) current_ = lane_signals("current", kCurrentBits);
  compared_ = lane_signals("compared", kMembraneBits);
  membrane_ = lane_signals(shape.ems ? "membrane" : "psum_membrane", kMembraneBits);
  threshold_ = lane_signals("threshold", kMembraneBits);
  fired_ = vcd_.add("fired", p);
}

std::vector<int> WaveFile::lane_signals(const std::string& name, int bits) {
  std::vector<int> signals;
  for (int lane = 0; lane < shape_.parallelism; ++lane)
    signals.push_back(vcd_.add(text("{}_{:02}", name, lane), bits));
  return signals;
}

void WaveFile::threshold(std::span<const int32_t> lanes) {
  for (size_t lane = 0; lane < threshold_.size(); ++lane) vcd_.set(threshold_[lane], lanes[lane]);
}

void WaveFile::cycle(const WaveSample& s) {
  const auto lanes = [&](const std::vector<int>& signals, const WaveLanes& values) {
    for (size_t i = 0; i < signals.size(); ++i) vcd_.set(signals[i], values[i]);
  };
  vcd_.set(clock_, 1);
  vcd_.set(input_valid_, s.input_valid);
  if (s.input_valid) {
    vcd_.set(in_tile_, s.in_tile), vcd_.set(in_pixel_, s.in_pixel);
    for (size_t tap = 0; tap < kWaveTaps; ++tap) vcd_.set(taps_[tap], s.taps[tap]);
  }
  vcd_.set(sum_valid_, s.sum_valid);
  if (s.sum_valid) lanes(sums_, s.sums);
  vcd_.set(output_valid_, s.output_valid);
  if (s.output_valid) {
    vcd_.set(out_tile_, s.out_tile), vcd_.set(out_pixel_, s.out_pixel), vcd_.set(last_, s.last);
    if (!shape_.ems || s.last) lanes(membrane_, s.membrane);
    if (s.last) {
      lanes(current_, s.current), lanes(compared_, s.compared);
      vcd_.set(fired_, s.fired);
    }
  }
  const double period = kPicoseconds / shape_.clock_hz;
  const int64_t rise = std::llround(static_cast<double>(cycles_) * period);
  vcd_.tick(rise);
  vcd_.set(clock_, 0);
  vcd_.tick(rise + std::llround(period / 2));
  ++cycles_;
}

void WatchingPort::watch(const WaveRequest& request, int64_t first, int64_t last,
                         const Config& config, uint64_t bytes, WaveFile& file) {
  request_ = request, first_ = first, last_ = last;
  config_ = config, bytes_ = bytes, file_ = &file;
}

void WatchingPort::write32(uint32_t offset, uint32_t value) {
  if (offset < reg::kEnd) values_[offset / 4] = value;
  if (offset == reg::kStart && (value & 1)) started(true);
  if (offset == reg::kPulse && (value & kPulseOutput)) started(false);
  port_.write32(offset, value);
}

void WatchingPort::started(bool extension) {
  const int64_t number = commands_++;
  if (progress_) progress_(commands_);
  if (!file_ || number < first_ || number > last_) return;
  const std::span<const uint8_t> memory = port_.memory().first(bytes_);
  if (extension)
    wave_command(decode_command(values_), config_, memory, request_, *file_);
  else
    wave_v1(decode_v1(values_), config_, memory, request_, *file_);
}

}  // namespace lampyris::firefly
