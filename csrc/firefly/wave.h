// What the array and the membrane unit see during one output tile and time step of a layer, as a
// wave file. From the clocked array when one is selected, else the functional path laid out in the
// hardware's order: input tile, then pixel, one a clock.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firefly/command.h"
#include "firefly/config.h"
#include "firefly/driver.h"
#include "firefly/port.h"
#include "firefly/vcd.h"

namespace lampyris::firefly {

inline constexpr int kWaveTaps = 9;
inline constexpr int kWaveLanes = 32;

// Where the wave is taken: output tile of layer, time step.
struct WaveRequest {
  size_t layer = 0;
  int tile = 0, t = 0;
};

// "layer:tile:t", the layer by number or name. Throws std::invalid_argument for one that is not
// there or that has neither synapses nor neurons.
WaveRequest parse_wave(const Plan& plan, std::string_view text);

using WaveLanes = std::array<int32_t, kWaveLanes>;

// One clock.
struct WaveSample {
  bool input_valid = false;
  int in_tile = 0, in_pixel = 0;
  std::array<uint32_t, kWaveTaps> taps{};  // P spikes each
  bool sum_valid = false;
  WaveLanes sums{};
  bool output_valid = false;  // behind the membrane unit
  int out_tile = 0, out_pixel = 0;
  bool last = false;       // last input tile: the fields below count
  uint32_t fired = 0;
  WaveLanes compared{};    // V before the reset
  WaveLanes membrane{};    // V after it; v1 before the last tile: the partial sum
  WaveLanes current{};     // X or accumulator of ems
};

// Sizes and constants of a wave.
struct WaveShape {
  std::string scope;  // name of the layer
  int parallelism = 16;
  bool ems = false;
  double clock_hz = 300e6;
};

class WaveFile {
 public:
  explicit WaveFile(const WaveShape& shape);
  void threshold(std::span<const int32_t> lanes);
  void cycle(const WaveSample& sample);
  int64_t cycles() const { return cycles_; }
  std::string finish() const { return vcd_.finish(); }

 private:
  std::vector<int> lane_signals(const std::string& name, int bits);

  WaveShape shape_;
  VcdWriter vcd_;
  int clock_, input_valid_, in_tile_, in_pixel_, sum_valid_, output_valid_, out_tile_, out_pixel_;
  int last_, fired_;
  std::vector<int> taps_, sums_, compared_, membrane_, current_, threshold_;
  int64_t cycles_ = 0;
};

// The samples of one command. `memory` is what the command finds; it is copied before anything
// runs. Throws std::invalid_argument for a tile or step that the command does not have.
void wave_command(const Command& command, const Config& config, std::span<const uint8_t> memory,
                  const WaveRequest& request, WaveFile& file);
void wave_v1(const V1Command& command, const Config& config, std::span<const uint8_t> memory,
             const WaveRequest& request, WaveFile& file);

// Stands between a driver and a device. Takes the wave of every command (band) of one layer, and
// tells how many commands have started.
class WatchingPort : public Port {
 public:
  // `progress` is called with the number of commands started, before each of them.
  explicit WatchingPort(Port& port, std::function<void(int64_t)> progress = {})
      : port_(port), progress_(std::move(progress)) {}

  // Commands `first` to `last` are the layer's; `bytes`: of memory that they can touch.
  void watch(const WaveRequest& request, int64_t first, int64_t last, const Config& config,
             uint64_t bytes, WaveFile& file);

  uint32_t read32(uint32_t offset) override { return port_.read32(offset); }
  void write32(uint32_t offset, uint32_t value) override;
  std::span<uint8_t> memory() override { return port_.memory(); }
  uint32_t base_address() override { return port_.base_address(); }
  void reserve(uint64_t bytes) override { port_.reserve(bytes); }
  const CommandTrace* trace() override { return port_.trace(); }

 private:
  void started(bool extension);

  Port& port_;
  std::function<void(int64_t)> progress_;
  RegisterValues values_{};
  int64_t commands_ = 0, first_ = 0, last_ = -1;
  WaveRequest request_;
  Config config_;
  uint64_t bytes_ = 0;
  WaveFile* file_ = nullptr;
};

}  // namespace lampyris::firefly
