#include "firefly/column_vectors.h"

namespace lampyris::firefly {

namespace {

class Recorder : public ClockObserver {
 public:
  Recorder(ColumnVectors& vectors, const V1Command& command, int parallelism)
      : vectors_(vectors), command_(command), lanes_(parallelism) {}

  void cycle(const ClockSample& sample) override {
    ColumnVectors& v = vectors_;
    const ArrayInput& in = sample.input;
    v.windows.insert(v.windows.end(), in.taps.begin(), in.taps.end());
    v.valid.push_back(in.valid);
    v.load.push_back(in.load ? next_tile() : -1);
    v.sum_valid.push_back(sample.sum_valid);
    append(v.sums, sample.sum_valid ? &sample.sums : nullptr);
    v.done.push_back(sample.done != nullptr);
    v.last.push_back(sample.done && sample.done->last);
    v.fired.push_back(sample.done ? sample.done->fired : 0);
    append(v.membrane, sample.done ? &sample.done->membrane : nullptr);
    ++v.cycles;
  }

 private:
  // Tiles are loaded in the order of the loops; every time step loads those of its output tile.
  int32_t next_tile() {
    const int n = loads_++, ci = command_.ci_tiles;
    return n / (ci * command_.steps) * ci + n % ci;
  }

  void append(std::vector<int32_t>& to, const LaneWords* words) const {
    for (size_t l = 0; l < static_cast<size_t>(lanes_); ++l) to.push_back(words ? (*words)[l] : 0);
  }

  ColumnVectors& vectors_;
  const V1Command& command_;
  int lanes_;
  int loads_ = 0;
};

}  // namespace

ColumnVectors record_column(const V1Command& command, const Config& config,
                            std::span<const int8_t> weights, std::span<const int16_t> bias,
                            std::span<uint8_t> memory) {
  ColumnVectors vectors;
  Recorder recorder(vectors, command, config.parallelism);
  ClockedCycles cycles;
  run_clocked_v1(command, config, weights, bias, memory, nullptr, cycles, &recorder);
  return vectors;
}

}  // namespace lampyris::firefly
