// Samples of a clocked run: everything between the first window of the wanted output tile and time
// step and its last pixel behind the membrane unit, idle clocks included.
#include <algorithm>

#include "firefly/wave_clocked.h"

namespace lampyris::firefly {

namespace {

static_assert(kWaveTaps == kTaps && kWaveLanes == kMostLanes);

class ClockedWave : public ClockObserver {
 public:
  ClockedWave(const WaveRequest& at, const WaveCounts& counts, WaveFile& file)
      : counts_(counts),
        at_(at),
        first_((int64_t{at.tile} * counts.steps + at.t) * counts.ci_tiles * counts.pixels),
        last_(first_ + int64_t{counts.ci_tiles} * counts.pixels),
        file_(file) {}

  void cycle(const ClockSample& sample) override {
    WaveSample out;
    count(sample.input.valid, inputs_, out.input_valid, out.in_tile, out.in_pixel);
    out.taps = sample.input.taps;
    int tile = 0, pixel = 0;  // the sums come in the order of the windows
    count(sample.sum_valid, sums_, out.sum_valid, tile, pixel);
    out.sums = sample.sums;
    if (const ClockedNeuron::Done* done = sample.done; done && wanted(done->place)) {
      out.output_valid = true;
      out.out_tile = done->place.i, out.out_pixel = done->place.pixel, out.last = done->last;
      out.fired = done->fired, out.compared = done->compared;
      out.membrane = done->membrane, out.current = done->current;
      ++outputs_;
    }
    if (inputs_ > first_ && outputs_ <= last_ - first_ && !ended_) file_.cycle(out);
    ended_ = outputs_ == last_ - first_;
  }

 private:
  bool wanted(const ClockedNeuron::Place& place) const {
    return place.o == at_.tile && place.t == at_.t;
  }

  // Counts a valid word; fills in its place where it belongs to the wanted tile and step.
  void count(bool valid, int64_t& counter, bool& shown, int& tile, int& pixel) const {
    if (!valid) return;
    const int64_t number = counter++ - first_;
    shown = number >= 0 && number < last_ - first_;
    if (!shown) return;
    tile = static_cast<int>(number / counts_.pixels);
    pixel = static_cast<int>(number % counts_.pixels);
  }

  WaveCounts counts_;
  WaveRequest at_;
  int64_t first_, last_;  // windows of the wanted tile and step
  WaveFile& file_;
  int64_t inputs_ = 0, sums_ = 0, outputs_ = 0;
  bool ended_ = false;
};

}  // namespace

void wave_clocked(const Command& c, const Config& config, std::span<uint8_t> memory,
                  const WaveRequest& at, WaveFile& file) {
  ClockedWave wave(at, {c.ci_tiles, c.steps, c.out_h * c.out_w}, file);
  ClockedCycles cycles;
  run_clocked_conv(c, config, memory, nullptr, cycles, &wave);
}

void wave_clocked(const V1Command& c, const Config& config, std::span<const int8_t> weights,
                  std::span<const int16_t> bias, std::span<uint8_t> memory, const WaveRequest& at,
                  WaveFile& file) {
  ClockedWave wave(at, {c.ci_tiles, c.steps, c.linear ? 1 : c.height * c.width}, file);
  ClockedCycles cycles;
  run_clocked_v1(c, config, weights, bias, memory, nullptr, cycles, &wave);
}

}  // namespace lampyris::firefly
