#include "firefly/driver.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "firefly/host.h"

namespace lampyris::firefly {

namespace {

constexpr uint64_t kPage = 4096;
constexpr int kPollLimit = 100'000'000;  // a board needs some thousand polls a command

uint64_t round_up(uint64_t x) { return (x + kPage - 1) / kPage * kPage; }

}  // namespace

void Driver::load(const LoadedImage& image) {
  const uint32_t capability = port_.read32(reg::kCapability);
  extension_ = port_.read32(reg::kIdentity) == kIdentityValue;
  const int parallelism = static_cast<int>(capability & 0xFF);
  if (extension_ && parallelism != image.plan.parallelism)
    fail("driver: device must have parallelism {} for this image, got {}", image.plan.parallelism,
         parallelism);
  if (!extension_ && image.plan.target != "v1")
    fail("driver: device must have the extension registers for target {}, got identity 0x{:08x}",
         image.plan.target, port_.read32(reg::kIdentity));
  const uint64_t arena_at = round_up(image.data_bytes);
  port_.reserve(arena_at + image.plan.arena_bytes);
  const std::span<uint8_t> memory = port_.memory();
  if (memory.size() < arena_at + image.plan.arena_bytes)
    fail("driver: device memory must have {} bytes, got {}", arena_at + image.plan.arena_bytes,
         memory.size());
  image_base_ = port_.base_address();
  arena_base_ = image_base_ + static_cast<uint32_t>(arena_at);
  for (size_t n = 0; n < image.writes.size(); ++n) {
    std::copy(image.weights[n].begin(), image.weights[n].end(),
              memory.begin() + image.weights_at[n]);
    std::copy(image.bias[n].begin(), image.bias[n].end(), memory.begin() + image.bias_at[n]);
  }
  image_ = &image;
}

Result Driver::run(const Frame& frame) {
  if (!image_) fail("driver: an image must be loaded before a run, got none");
  Result result;
  write_input(frame, result);
  const Plan& plan = image_->plan;
  for (size_t n = 0; n < plan.layers.size(); ++n) {
    run_layer(n, result);
    for (const PlanMap& map : plan.maps)
      if (map.ready == static_cast<int>(n)) keep_map(map, result);
  }
  finish(result);
  return result;
}

void Driver::run_layer(size_t n, Result& result) {
  const PlanLayer& layer = image_->plan.layers[n];
  const bool ems = image_->plan.target == "ems";
  if (ems && !layer.current.empty()) result.clamped[layer.current] = 0;
  if (ems && !layer.neuron.empty()) result.saturated[layer.neuron] = 0;
  const int64_t before = result.cycles;
  std::span<const RegisterWrite> writes = image_->writes[n];
  for (const PlanBand& band : layer.commands) {
    const size_t count = static_cast<size_t>(band.writes);
    run_command(n, writes.first(count), result);
    writes = writes.subspan(count);
    if (const CommandTrace* trace = port_.trace()) keep_trace(n, band, *trace, result);
  }
  result.layer_cycles.push_back(result.cycles - before);
}

void Driver::run_command(size_t n, std::span<const RegisterWrite> writes, Result& result) {
  const PlanLayer& layer = image_->plan.layers[n];
  const bool ems = image_->plan.target == "ems";
  if (extension_) port_.write32(reg::kStatus, kStatusDone | kStatusError);
  for (const RegisterWrite& write : writes) {
    uint32_t value = write.value;
    if (write.relocation == Relocation::kImage) value += image_base_;
    if (write.relocation == Relocation::kArena) value += arena_base_;
    port_.write32(write.offset, value);
  }
  for (int polls = 0;; ++polls) {
    const uint32_t status = extension_ ? port_.read32(reg::kStatus) : 0;
    if (status & kStatusError)
      fail("driver: layer {} \"{}\" must run, got device error {}: {}", n, layer.name,
           status >> 8 & 0xFF, error_text(static_cast<ErrorCode>(status >> 8 & 0xFF)));
    const bool done = ems ? status & kStatusDone : port_.read32(reg::kDone) & 1;
    if (done) break;
    if (polls == kPollLimit)
      fail("driver: layer {} \"{}\" must finish, got no done flag after {} polls", n, layer.name,
           polls);
  }
  if (!ems) port_.write32(reg::kDone, 0);
  if (!extension_) return;
  result.cycles += static_cast<int64_t>(uint64_t{port_.read32(reg::kCyclesHigh)} << 32 |
                                        port_.read32(reg::kCyclesLow));
  if (ems && !layer.current.empty()) result.clamped[layer.current] += port_.read32(reg::kClamped);
  if (ems && !layer.neuron.empty()) result.saturated[layer.neuron] += port_.read32(reg::kSaturated);
}

void Driver::finish(Result& result) {
  const Plan& plan = image_->plan;
  if (!extension_) result.cycles = image_->modelled_cycles;
  if (plan.target != "v1") return;
  for (const PlanLayer& layer : plan.layers) {
    result.layer_spikes.push_back(layer.spikes);
    result.layer_membranes.push_back(layer.neuron);
  }
  const std::string& last = plan.layers.back().spikes;
  const StoredMap* map = result.spikes.find(last);
  if (!map) return;
  if (!plan.output && plan.classes == 0) return;
  std::vector<uint8_t> spikes(map->count());
  map->decode(spikes.data());
  if (plan.output && plan.output->convolves) {
    const HostOutput& out = *plan.output;
    const std::vector<int32_t> total =
        run_host_output(out, image_->output_weight, image_->output_bias, spikes, plan.steps,
                        map->height, map->width);
    StoredMap& stored = result.outputs[out.name];
    stored.steps = 1, stored.channels = out.out_channels, stored.parallelism = 1;
    stored.height = map->height + 2 * out.padding - out.kernel + 1;
    stored.width = map->width + 2 * out.padding - out.kernel + 1;
    stored.values.reshape(1, out.out_channels, stored.height, stored.width, 1);
    stored.values.values = total;
  }
  if (plan.classes > 0) {
    const uint8_t* word = spikes.data() + int64_t{plan.steps - 1} * map->channels;
    const int count = std::min(plan.classes, map->channels);
    const auto* fired = std::find(word, word + count, uint8_t{1});
    if (fired != word + count) result.predicted = static_cast<int>(fired - word);
  }
}

}  // namespace lampyris::firefly
