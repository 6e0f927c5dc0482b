// The host program: loads an image into a device's memory, runs its commands through the registers
// and reads back what they gave. The same code drives the model and a board.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "firefly/image.h"
#include "firefly/plan.h"
#include "firefly/port.h"
#include "firefly/registers.h"
#include "firefly/result.h"

namespace lampyris::firefly {

// An image made ready: plan parsed and checked against the registers.
struct LoadedImage {
  explicit LoadedImage(const Image& image);

  Plan plan;
  std::vector<std::vector<RegisterWrite>> writes;  // per layer
  std::vector<std::vector<uint8_t>> weights, bias;
  std::vector<uint32_t> weights_at, bias_at;  // from the image base
  uint64_t data_bytes = 0;
  std::vector<int8_t> stem_weight, output_weight;
  std::vector<int32_t> stem_bias;
  std::vector<int16_t> output_bias;
  int64_t modelled_cycles = 0;
};

// One frame. Exactly one span is filled: pixels with a host stem, spikes (0 and 1) or currents for
// an input map of that kind. Shape [steps, C, H, W].
struct Frame {
  std::span<const uint8_t> pixels;
  std::span<const uint8_t> spikes;
  std::span<const int16_t> currents;
  std::vector<int64_t> shape;
};

enum class Keep : uint8_t { kStored, kResults };  // every stored map, or what the network gives

class Driver {
 public:
  explicit Driver(Port& port, Keep keep = Keep::kStored) : port_(port), keep_(keep) {}

  // Copies parameters into the device's memory. `image` must outlive the runs.
  void load(const LoadedImage& image);
  // Throws std::invalid_argument for a frame of another shape, or when the device reports an error.
  Result run(const Frame& frame);

 private:
  void write_input(const Frame& frame, Result& result);
  void write_spikes(const PlanMap& map, std::span<const uint8_t> spikes);
  void write_currents(const PlanMap& map, std::span<const int16_t> currents);
  void run_layer(size_t layer, Result& result);
  void run_command(size_t layer, std::span<const RegisterWrite> writes, Result& result);
  void keep_map(const PlanMap& map, Result& result);
  void keep_trace(size_t layer, const PlanBand& band, const CommandTrace& trace, Result& result);
  void finish(Result& result);

  Port& port_;
  Keep keep_;
  const LoadedImage* image_ = nullptr;
  uint32_t image_base_ = 0, arena_base_ = 0;
  bool extension_ = false;
};

}  // namespace lampyris::firefly
