// Maps in and out of device memory.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "firefly/area.h"
#include "firefly/driver.h"
#include "firefly/host.h"
#include "firefly/neuron_unit.h"
#include "firefly/packing.h"

namespace lampyris::firefly {

namespace {

std::string show_shape(const std::vector<int64_t>& shape) {
  std::string all = "[";
  for (size_t i = 0; i < shape.size(); ++i) all += (i ? ", " : "") + std::to_string(shape[i]);
  return all + "]";
}

void check_frame(const Plan& plan, const Frame& frame, const std::vector<int64_t>& expected,
                 std::string_view kind, bool given) {
  if (given && frame.shape == expected) return;
  fail("driver: inputs must be {} of shape {} for \"{}\", got {} of shape {}", kind,
       show_shape(expected), plan.input,
       !frame.pixels.empty() ? "uint8" : (!frame.spikes.empty() ? "bool" : "int16"),
       show_shape(frame.shape));
}

Area map_area(const PlanMap& map) { return {map.offset, map.stride_t, map.stride_c}; }

StoredMap empty_map(const PlanMap& map, int parallelism) {
  StoredMap stored;
  stored.steps = map.steps, stored.channels = map.channels;
  stored.height = map.height, stored.width = map.width, stored.parallelism = parallelism;
  return stored;
}

// Copies the bands of one command into the whole map.
template <class T>
void join_band(const LaneMap<T>& part, int row0, int height, LaneMap<T>& whole) {
  if (whole.empty()) whole.reshape(part.steps, part.tiles, height, part.columns, part.parallelism);
  const int64_t row = int64_t{part.columns} * part.parallelism;
  for (int t = 0; t < part.steps; ++t)
    for (int tile = 0; tile < part.tiles; ++tile)
      std::copy_n(part.row(t, tile, 0), row * part.rows, whole.row(t, tile, row0));
}

}  // namespace

void Driver::write_input(const Frame& frame, Result& result) {
  const Plan& plan = image_->plan;
  const PlanMap& map = plan.map(plan.input);
  if (!plan.stem) {
    const std::vector<int64_t> shape{map.steps, map.channels, map.height, map.width};
    if (map.kind == Kind::kSpikes) {
      check_frame(plan, frame, shape, "bool", !frame.spikes.empty());
      write_spikes(map, frame.spikes);
    } else {
      check_frame(plan, frame, shape, "int16", !frame.currents.empty());
      write_currents(map, frame.currents);
    }
  } else {
    const HostStem& stem = *plan.stem;
    check_frame(plan, frame, {stem.in_steps, stem.in_channels, stem.in_height, stem.in_width},
                "uint8", !frame.pixels.empty());
    const StemResult x = run_stem(stem, image_->stem_weight, image_->stem_bias, frame.pixels);
    result.clamped[stem.name] = x.clamped;
    if (!stem.fires) {
      write_currents(map, x.currents);
    } else {
      const StemSpikes spikes = run_stem_neuron(stem, x.currents, plan.steps);
      write_spikes(map, spikes.fired);
      const auto plain = [&](int steps) {
        StoredMap stored = empty_map(map, 1);
        stored.steps = steps;
        return stored;
      };
      StoredMap& stream = result.streams[stem.name] = plain(stem.in_steps);
      stream.currents.reshape(stem.in_steps, map.channels, map.height, map.width, 1);
      stream.currents.values = x.currents;
      if (port_.trace()) {
        StoredMap& membrane = result.membranes[stem.neuron] = plain(plan.steps);
        membrane.values.reshape(plan.steps, map.channels, map.height, map.width, 1);
        membrane.values.values = spikes.membrane;
      }
    }
  }
  keep_map(map, result);
}

void Driver::write_spikes(const PlanMap& map, std::span<const uint8_t> spikes) {
  const int p = image_->plan.parallelism, tiles = tile_count(map.channels, p);
  const int64_t plane = int64_t{map.height} * map.width;
  std::vector<uint8_t> lanes(static_cast<size_t>(plane * p));
  for (int t = 0; t < map.steps; ++t)
    for (int tile = 0; tile < tiles; ++tile) {
      std::fill(lanes.begin(), lanes.end(), uint8_t{0});
      for (int c = tile * p; c < std::min(map.channels, tile * p + p); ++c) {
        const uint8_t* in = spikes.data() + (int64_t{t} * map.channels + c) * plane;
        for (int64_t i = 0; i < plane; ++i) lanes[static_cast<size_t>(i * p + c % p)] = in[i] != 0;
      }
      uint8_t* out =
          port_.memory().data() + (arena_base_ - image_base_) + area_block(map_area(map), t, tile);
      pack_row(lanes.data(), static_cast<int>(plane), p, out);
    }
}

void Driver::write_currents(const PlanMap& map, std::span<const int16_t> currents) {
  const int p = image_->plan.parallelism, tiles = tile_count(map.channels, p);
  const int64_t plane = int64_t{map.height} * map.width;
  for (int t = 0; t < map.steps; ++t)
    for (int tile = 0; tile < tiles; ++tile) {
      auto* out = reinterpret_cast<int16_t*>(port_.memory().data() + (arena_base_ - image_base_) +
                                             area_block(map_area(map), t, tile));
      std::memset(out, 0, static_cast<size_t>(plane * p) * sizeof(int16_t));
      for (int c = tile * p; c < std::min(map.channels, tile * p + p); ++c) {
        const int16_t* in = currents.data() + (int64_t{t} * map.channels + c) * plane;
        for (int64_t i = 0; i < plane; ++i) out[i * p + c % p] = in[i];
      }
    }
}

void Driver::keep_map(const PlanMap& map, Result& result) {
  if (keep_ == Keep::kResults && !map.result) return;
  const int p = image_->plan.parallelism, tiles = tile_count(map.channels, p);
  StoredMap stored = empty_map(map, p);
  const uint8_t* arena = port_.memory().data() + (arena_base_ - image_base_);
  const auto copy = [&](uint8_t* out, int64_t pixel) {
    const size_t block = static_cast<size_t>(int64_t{map.height} * map.width * pixel);
    for (int t = 0; t < map.steps; ++t)
      for (int tile = 0; tile < tiles; ++tile, out += block)
        std::memcpy(out, arena + area_block(map_area(map), t, tile), block);
  };
  if (map.kind == Kind::kSpikes) {
    stored.packed.resize(static_cast<size_t>(int64_t{map.steps} * tiles * map.height * map.width *
                                             spike_pixel_bytes(p)));
    copy(stored.packed.data(), spike_pixel_bytes(p));
    result.spikes[map.name] = std::move(stored);
  } else if (map.kind == Kind::kStream) {
    stored.currents.reshape(map.steps, tiles, map.height, map.width, p);
    copy(reinterpret_cast<uint8_t*>(stored.currents.values.data()), stream_pixel_bytes(p));
    result.streams[map.name] = std::move(stored);
  } else {
    stored.values.reshape(1, tiles, map.height, map.width, p);
    copy(reinterpret_cast<uint8_t*>(stored.values.values.data()), int32_pixel_bytes(p));
    result.outputs[map.name] = std::move(stored);
  }
}

void Driver::keep_trace(size_t n, const PlanBand& band, const CommandTrace& trace, Result& result) {
  const PlanLayer& layer = image_->plan.layers[n];
  const auto whole = [&](StoredMap& stored, int steps) -> StoredMap& {
    stored.steps = steps, stored.channels = layer.out_channels;
    stored.height = layer.neuron_height, stored.width = layer.neuron_width;
    stored.parallelism = image_->plan.parallelism;
    return stored;
  };
  if (!trace.current.empty() && !layer.current.empty())
    join_band(trace.current, band.row0, layer.neuron_height,
              whole(result.streams[layer.current], trace.current.steps).currents);
  if (layer.neuron.empty()) return;
  if (!trace.membrane.empty())
    join_band(trace.membrane, band.row0, layer.neuron_height,
              whole(result.membranes[layer.neuron], trace.membrane.steps).values);
  if (!trace.fired.empty() && layer.neuron != layer.spikes)
    join_band(trace.fired, band.row0, layer.neuron_height,
              whole(result.spikes[layer.neuron], trace.fired.steps).fired);
}

}  // namespace lampyris::firefly
